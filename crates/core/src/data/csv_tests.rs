use super::schema::BUCKETS;
use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Result<Table> {
    parse_as(text.as_bytes(), None, None)
}

fn parse_as(bytes: &[u8], target: Option<&str>, task: Option<Task>) -> Result<Table> {
    Table::parse("t.csv", bytes, Names::Detect, target, task, &TableOptions::default())
}

fn parse_with(text: &str, options: &TableOptions) -> Result<Table> {
    Table::parse("t.csv", text.as_bytes(), Names::Detect, None, None, options)
}

fn why(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

fn row(table: &Table, index: usize) -> Vec<f64> {
    match table.get(index).unwrap().input {
        Input::Row(values) => values,
        _ => panic!("a table holds rows"),
    }
}

#[test]
fn a_table_without_header_has_its_class_last() {
    let table = parse("5.1,3.5,setosa\n4.9,3,virginica\n7,3.2,setosa\n").unwrap();
    assert_eq!(table.columns, ["1", "2"]);
    assert_eq!(table.classes, ["setosa", "virginica"]);
    assert_eq!(table.labels, [0, 1, 0]);
    assert_eq!(row(&table, 1), [4.9, 3.0]);
}

#[test]
fn a_header_names_columns_and_target() {
    let text = "kind;width;height\na;1;2\nb;3;4\n";
    let table = parse_as(text.as_bytes(), Some("kind"), None).unwrap();
    assert_eq!(table.columns, ["width", "height"]);
    assert_eq!(table.classes, ["a", "b"]);
    assert_eq!(row(&table, 1), [3.0, 4.0]);
    let by_number = parse_as(text.as_bytes(), Some("1"), None).unwrap();
    assert_eq!(by_number.classes, ["a", "b"]);
    let error = parse_as(text.as_bytes(), Some("colour"), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "--target: no column `colour` in t.csv: it has kind, width, height"
    );
    assert!(parse_as(text.as_bytes(), Some("0"), None).is_err());
}

#[test]
fn words_become_one_column_each_and_numeric_classes_sort_by_value() {
    let table = parse("sex,length,rings\nM,0.5,15\nF,0.25,7\nI,1,101\n").unwrap();
    assert_eq!(table.columns, ["sex=F", "sex=I", "sex=M", "length"]);
    assert_eq!(table.classes, ["7", "15", "101"]);
    assert_eq!(row(&table, 0), [0.0, 0.0, 1.0, 0.5]);
    assert_eq!(table.labels, [1, 0, 2]);
}

#[test]
fn faults_name_file_line_and_field() {
    assert_eq!(
        why("a,b,c\n1,2,x\n\n1,2\n"),
        "t.csv: line 4, field c: the row has 2 fields; expected 3"
    );
    assert_eq!(why("1,2,x\n1,2,y,3\n"), "t.csv: line 2, field 4: the row has 4 fields; expected 3");
    assert_eq!(why("a,b,c\n1,2,x\n1,two,y\n"), "t.csv: line 3, field b: `two`; expected a number");
    for word in ["inf", "-inf", "1e99"] {
        assert_eq!(
            why(&format!("1,x\n{word},y\n")),
            format!("t.csv: line 2, field 1: `{word}`; expected a finite number")
        );
    }
    let error = parse_as(b"1,x\n2,\xFF\n", None, None).unwrap_err();
    assert_eq!(error.to_string(), "t.csv: line 2, field 2: not UTF-8; expected UTF-8 text");
    let classes = Some(Task::Classification);
    let error = parse_as(b"1,392.5\n2,46\n", None, classes).unwrap_err();
    assert_eq!(
        error.to_string(),
        "t.csv: line 1, field 2: `392.5` is a measurement; expected a class, a word or a whole \
         number (`--target` names another column)"
    );
}

#[test]
fn files_without_anything_to_learn_are_refused() {
    assert!(why("").contains("empty"));
    assert!(why("\n\n").contains("empty"));
    assert!(why("a,b,c\n").contains("only a header"));
    assert!(why("1,x\n2,x\n").contains("every row has the class `x` in column 2"));
    assert!(why("x\ny\n").contains("only the target column"));
    let names: String = (0..300).map(|i| format!("name{i},{}\n", i % 2)).collect();
    assert!(why(&names).contains("300 different words"));
}

#[test]
fn lines_are_counted_as_an_editor_does() {
    assert!(why("1,x\r\n\r\n\r\n2,y\r\nno,y\r\n").contains("line 5, field 1"));
    assert!(why("\n\n1,x\n2,y\ninf,y\n").contains("line 5, field 1"));
    assert!(why("1,\"x\nx\"\n2,y\ninf,y\n").contains("line 4, field 1"), "a line break in quotes");
    let table = parse_as(b"\xEF\xBB\xBFa,b\n1,x\n2,y\n", None, None).unwrap();
    assert_eq!(table.columns, ["a"], "a byte order mark is no part of the name");
}

#[test]
fn a_target_of_measurements_is_a_regression() {
    let table = parse("a,b,price\n1,2,3.5\n3,4,-1\n").unwrap();
    assert_eq!((&table.classes[..], &table.labels[..]), (&["price".to_string()][..], &[0, 1][..]));
    assert_eq!(table.targets, Some(vec![3.5, -1.0]));
    assert_eq!(table.columns, ["a", "b"]);
    // Whole numbers are classes while they are few, and whatever a person says.
    let counts = |n: usize| (0..60).map(|i| format!("{i},{}\n", i % n)).collect::<String>();
    assert!(parse(&counts(20)).unwrap().targets.is_none());
    assert!(parse(&counts(21)).unwrap().targets.is_some());
    let asked = |text: String, task| parse_as(text.as_bytes(), None, Some(task)).unwrap();
    assert_eq!(asked(counts(21), Task::Classification).classes.len(), 21);
    assert_eq!(asked(counts(2), Task::Regression).targets.unwrap()[..3], [0.0, 1.0, 0.0]);
}

#[test]
fn faults_of_a_regression_name_what_is_wrong() {
    let why = |text: &str| {
        let task = Some(Task::Regression);
        let table = parse_as(text.as_bytes(), None, task);
        table.unwrap_err().to_string()
    };
    assert_eq!(
        why("a,price\n1,2.5\n2,2.50\n"),
        "t.csv: every row has 2.5 in column price; expected different numbers"
    );
    assert_eq!(
        why("a,price\n1,2\n2,two\n"),
        "t.csv: line 3, field price: `two`; expected a number"
    );
    let endless = why("1,2\n2,inf\n");
    assert_eq!(endless, "t.csv: line 2, field 2: `inf`; expected a finite number");
}

#[test]
fn headers_are_found_by_content() {
    let columns = |text: &str| parse(text).unwrap().columns;
    // Words above words that come again and again.
    let kinds = ["x,a,e", "b,n,p", "x,n,e", "x,a,p", "b,a,e", "b,n,p"].join("\n");
    assert_eq!(columns(&format!("cap,odor,kind\n{kinds}"))[..2], ["cap=b", "cap=x"]);
    assert_eq!(parse(&format!("cap,odor,kind\n{kinds}")).unwrap().classes, ["e", "p"]);
    assert_eq!(columns(&kinds)[..2], ["1=b", "1=x"]);
    // Numbers that count the columns, years.
    let numbers = "5.1,3.5,x\n4.9,3,y\n5,2.5,x\n4,3.5,y\n5,1,x\n5,2,y\n5,1,x\n";
    assert_eq!(parse(&format!("0,1,kind\n{numbers}")).unwrap().classes, ["x", "y"]);
    assert_eq!(columns(&format!("2019,2020,kind\n{numbers}")), ["2019", "2020"]);
    assert_eq!(columns(numbers), ["1", "2"]);
    assert_eq!(columns("a;b;kind\n3,5;1,25;x\n1,5;2,75;y\n"), ["a", "b"]);
    assert_eq!(columns("# a,b,kind\n3.5,1.25,x\n1.5,2.75,y\n"), ["a", "b"]);
    // A person knows better.
    let said = |header| TableOptions { header: Some(header), ..TableOptions::default() };
    assert_eq!(
        parse_with("a,b\nc,d\n", &said(true)).unwrap_err().to_string().matches("class `d`").count(),
        1
    );
    assert_eq!(parse_with("7,p\n1,x\n2,y\n", &said(true)).unwrap().columns, ["7"]);
    assert_eq!(parse_with("a,p\nb,x\na,x\n", &said(false)).unwrap().labels.len(), 3);
}

#[test]
fn numbers_are_numbers_however_they_are_written() {
    let text = "a;b;c;d;kind\n3,5;5,5%;1.100;\u{2212}2;x\n1,25;7 %;2.250,5;3;y\n";
    let table = parse(text).unwrap();
    assert_eq!(table.columns, ["a", "b", "c", "d"]);
    assert_eq!(row(&table, 0), [3.5, 5.5, 1100.0, -2.0]);
    assert_eq!(row(&table, 1), [1.25, 7.0, 2250.5, 3.0]);
    assert_eq!((table.schema.decimal, table.schema.delimiter), (Decimal::Comma, ';'));
    let table = parse("a,b\n\"1,100\",x\n\"2,200.5\",y\n").unwrap();
    assert_eq!([row(&table, 0), row(&table, 1)].concat(), [1100.0, 2200.5]);
    let comma = TableOptions { decimal: Some(Decimal::Comma), ..TableOptions::default() };
    assert_eq!(row(&parse_with("a,b\n\"1,100\",x\n\"2,2\",y\n", &comma).unwrap(), 0), [1.1]);
    let pipe = TableOptions { delimiter: Some('|'), ..TableOptions::default() };
    assert_eq!(parse_with("a,b|c\n1|x\n2|y\n", &pipe).unwrap().columns, ["a,b"]);
    // 32 bits would take both for 1700000000.
    let table = parse("at,price\n1700000001,0.5\n1700000002,1.5\n").unwrap();
    assert_eq!([row(&table, 0), row(&table, 1)].concat(), [1_700_000_001.0, 1_700_000_002.0]);
}

#[test]
fn what_is_missing_is_the_median_or_mode_of_the_rows_that_train() {
    let text = "age,sex,kind\n1,m,x\n?,f,y\n3,,x\n90,f,y\nNaN,m,x\n80,m,\n";
    let draft = Draft::parse(
        Path::new("t.csv"),
        text.as_bytes(),
        Names::Detect,
        None,
        None,
        &TableOptions::default(),
    );
    let table = draft.unwrap().table(&[0, 1, 2]).unwrap();
    assert_eq!(table.skipped, ["line 7: no value in `kind`"]);
    assert_eq!(table.columns, ["age", "age missing", "sex=f", "sex=m", "sex missing"]);
    // The median of 1 and 3, not of 90 too; f and m are equally frequent, so the first.
    assert_eq!(row(&table, 1), [2.0, 1.0, 1.0, 0.0, 0.0]);
    assert_eq!(row(&table, 2), [3.0, 0.0, 1.0, 0.0, 1.0]);
    assert_eq!(row(&table, 4), [2.0, 1.0, 0.0, 1.0, 0.0]);
    // New rows too, by name.
    let rows = Table::parse_rows("new.csv", b"sex,more,age\n,1,7\nm,2,NA\n", &table.schema);
    assert_eq!(rows.unwrap(), [[7.0, 0.0, 1.0, 0.0, 1.0], [2.0, 1.0, 0.0, 1.0, 0.0]]);
    let text = serde_json::to_string(&table.schema).unwrap();
    assert_eq!(serde_json::from_str::<Schema>(&text).unwrap(), table.schema, "{text}");
    let given = parse("a,kind\n1,x\n2,y\n").unwrap().schema;
    let why = Table::parse_rows("new.csv", b"a\n1\n\" \"\n-\n", &given).unwrap_err().to_string();
    assert!(why.starts_with("new.csv: line 4, field a: `-`; expected a value: no row"), "{why}");
}

#[test]
fn what_a_person_says_of_a_header_holds_for_fetched_tables_too() {
    let given = ["width", "height", "kind"].map(str::to_owned);
    let read = |names, header| {
        let options = TableOptions { header, ..TableOptions::default() };
        let text = b"a,b,c\nu,v,x\nw,v,y\nu,z,x\nw,z,y\n";
        let table =
            Table::parse("t.csv", text, names, Some("3"), Some(Task::Classification), &options);
        table.map(|table| (table.columns.join(" "), table.labels.len()))
    };
    assert_eq!(read(Names::Given(&given), Some(true)).unwrap(), ("a=u a=w b=v b=z".into(), 4));
    assert_eq!(read(Names::Numbers, Some(true)).unwrap(), ("a=u a=w b=v b=z".into(), 4));
    let bare = read(Names::Header, Some(false)).unwrap();
    assert!(bare.0.starts_with("1=a 1=u 1=w") && bare.1 == 5, "{bare:?}");
    let all = read(Names::Given(&given), None).unwrap();
    assert!(all.0.starts_with("width=a width=u") && all.1 == 5, "{all:?}");
}

#[test]
fn identifiers_and_free_text_are_ignored_unless_a_person_wants_them() {
    let line = |i: usize| format!("{},person {i},{},{}\n", 7 * i, i % 4, ["x", "y"][i % 2]);
    let text = format!("PassengerId,name,rank,kind\n{}", (0..300).map(line).collect::<String>());
    let table = parse(&text).unwrap();
    assert_eq!(table.columns, ["rank"]);
    let lines = table.schema.lines().join("\n");
    assert!(lines.contains("PassengerId  ignored"), "{lines}");
    assert!(lines.contains("300 different words in 300 rows; `--ignore none`"), "{lines}");
    let options = |ignore: &[&str], categorical: &[&str]| TableOptions {
        ignore: Some(ignore.iter().map(ToString::to_string).collect()),
        categorical: categorical.iter().map(ToString::to_string).collect(),
        ..TableOptions::default()
    };
    let all = parse_with(&text, &options(&[], &[])).unwrap();
    assert_eq!(all.columns.len(), 1 + BUCKETS + 1);
    assert_eq!(row(&all, 3)[1..=BUCKETS].iter().sum::<f64>(), 1.0);
    let kinds = parse_with(&text, &options(&["name", "1"], &["rank"])).unwrap();
    assert_eq!(kinds.columns, ["rank=0", "rank=1", "rank=2", "rank=3"]);
    let why = parse_with(&text, &options(&["nmae"], &[])).unwrap_err().to_string();
    assert!(why.starts_with("--ignore: no column `nmae` (did you mean `name`?) in t.csv"), "{why}");
    // A column of times is none, though all differ, nor are numbers and a few words.
    let times: String = (0..50).map(|i| format!("{i},{}\n", i % 2)).collect();
    assert_eq!(parse(&format!("t,kind\n{times}")).unwrap().columns, ["t"]);
    let sizes: String =
        (0..60).map(|i| format!("{},{}\n", ["36", "S", "M", "L"][i % 4], i % 2)).collect();
    assert_eq!(parse(&format!("size,kind\n{sizes}")).unwrap().columns.len(), 4);
}

#[test]
fn columns_are_found_by_name_and_without_names_by_place() {
    let table = parse("id,a=b,y,kind,c\n11,1,2,p,x\n12,3,4,q,y\n13,5,6,p,x\n").unwrap();
    assert_eq!(table.columns, ["a=b", "y", "kind=p", "kind=q"]);
    let rows = |text: &str| Table::parse_rows("n.csv", text.as_bytes(), &table.schema);
    let expected = [[9.0, 8.0, 0.0, 1.0]];
    for text in ["y,kind,a=b\n8,q,9\n", "17,9,8,q,x\n", "17,9,8,q\n", "9,8,q\n"] {
        assert_eq!(rows(text).unwrap(), expected, "{text}");
    }
    let why = |text: &str| rows(text).unwrap_err().to_string();
    assert_eq!(why("y,kin,a=b\n8,q,9\n"), "n.csv: no column `kind`; it has y, kin, a=b");
    assert_eq!(why("8,q\n"), "n.csv: 2 columns; expected 3, or 5 as in training");
    assert_eq!(rows("y,kind,a=b\n8,new,9\n").unwrap(), [[9.0, 8.0, 0.0, 0.0]]);
    // The whole of another table, its target by name too.
    let known =
        TableOptions { schema: Some(table.schema.clone()), whole: true, ..TableOptions::default() };
    let other = parse_with("c,y,kind,a=b\ny,8,q,9\n", &known).unwrap();
    assert_eq!((row(&other, 0), &other.labels[..]), (expected[0].to_vec(), &[1][..]));
    let why = parse_with("c,y,kind,a=b\nz,8,q,9\n", &known).unwrap_err().to_string();
    assert_eq!(why, "t.csv: line 2, field c: `z`; expected one of the run's classes x, y");
    // A name that comes twice.
    let twice = parse("x,x,x.1,kind\n1,2,3,a\n4,5,6,b\n").unwrap();
    assert_eq!(twice.columns, ["x", "x.2", "x.1"]);
    let again = Table::parse_rows("n.csv", b"x.1,x,x\n3,1,2\n", &twice.schema).unwrap();
    assert_eq!(again, [[1.0, 2.0, 3.0]]);
}

#[test]
fn names_alone_tell_the_columns_of_older_runs() {
    let names = ["size", "sex=F", "sex=M", "age"].map(String::from);
    let classes = ["x", "y"].map(String::from);
    let schema = Schema::of_names(&names, "", Some(&classes));
    assert_eq!(schema.names(), names);
    let rows = |text: &str| Table::parse_rows("n.csv", text.as_bytes(), &schema).unwrap();
    let expected = [[7.0, 0.0, 1.0, 30.0]];
    for text in ["age,size,sex\n30,7,M\n", "7,M,30\n", "7,M,30,x\n"] {
        assert_eq!(rows(text), expected, "{text}");
    }
    let known = TableOptions { schema: Some(schema.clone()), ..TableOptions::default() };
    assert_eq!(parse_with("size,sex,age,kind\n7,M,30,y\n", &known).unwrap().labels, [1]);
    assert!(Table::parse_rows("n.csv", b"size,sex,age\n7,M,\n", &schema).is_err());
}

const VALID: &str = "sex,length,rings\nM,0.5,15\nF,0.25,7\nI,1,101\n\"M\",-3e2,7\n";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn damaged_tables_never_panic(
        edits in prop::collection::vec((0usize..VALID.len(), any::<u8>()), 1..5),
        length in 0usize..VALID.len() + 1,
        target in prop::option::of("[a-z0-9]{0,5}"),
    ) {
        let mut bytes = VALID.as_bytes().to_vec();
        for (place, value) in edits {
            bytes[place] = value;
        }
        bytes.truncate(length);
        if let Ok(table) = parse_as(&bytes, target.as_deref(), None) {
            prop_assert!(table.len() > 0);
            prop_assert!(table.classes.len() > 1 || table.targets.is_some());
            for index in 0..table.len() {
                let labels = table.targets.as_ref().map_or(table.classes.len(), Vec::len);
                prop_assert!(table.get(index).unwrap().target < labels);
                prop_assert!(row(&table, index).iter().all(|value| value.is_finite()));
            }
        }
    }

    #[test]
    fn random_text_never_panics(text in "[a1.,;\"\t\r\n =-]{0,60}") {
        if let Err(error) = parse(&text) {
            prop_assert!(!error.to_string().contains('\n'));
        }
    }
}

#[test]
fn a_column_knows_its_places_among_the_numbers_of_a_row() {
    let table = parse("a,sex,b,kind\n1,M,0.5,x\n2,F,?,y\n3,,0.25,x\n4,M,1,y\n").unwrap();
    assert_eq!(table.columns, ["a", "sex=F", "sex=M", "sex missing", "b", "b missing"]);
    assert_eq!(table.schema.spans(), [("a", 0..1), ("sex", 1..4), ("b", 4..6)]);
}
