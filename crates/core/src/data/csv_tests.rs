use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Result<Table> {
    Table::parse("t.csv", text.as_bytes(), Names::Detect, None, None)
}

fn why(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

fn row(table: &Table, index: usize) -> Vec<f32> {
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
    let table = Table::parse("t.csv", text.as_bytes(), Names::Detect, Some("kind"), None).unwrap();
    assert_eq!(table.columns, ["width", "height"]);
    assert_eq!(table.classes, ["a", "b"]);
    assert_eq!(row(&table, 1), [3.0, 4.0]);
    let by_number = Table::parse("t.csv", text.as_bytes(), Names::Detect, Some("1"), None).unwrap();
    assert_eq!(by_number.classes, ["a", "b"]);
    let error =
        Table::parse("t.csv", text.as_bytes(), Names::Detect, Some("colour"), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "--target: no column `colour` in t.csv: it has kind, width, height"
    );
    assert!(Table::parse("t.csv", text.as_bytes(), Names::Detect, Some("0"), None).is_err());
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
    assert_eq!(why("1,x\n,y\n"), "t.csv: line 2, field 1: empty; expected a value");
    assert_eq!(why("1,x\n2,\n"), "t.csv: line 2, field 2: empty; expected a value");
    for word in ["NaN", "inf", "-inf", "1e99"] {
        assert_eq!(
            why(&format!("1,x\n{word},y\n")),
            format!("t.csv: line 2, field 1: `{word}`; expected a finite number")
        );
    }
    let error = Table::parse("t.csv", b"1,x\n2,\xFF\n", Names::Detect, None, None).unwrap_err();
    assert_eq!(error.to_string(), "t.csv: line 2, field 2: not UTF-8; expected UTF-8 text");
    let classes = Some(Task::Classification);
    let error =
        Table::parse("t.csv", b"1,392.5\n2,46\n", Names::Detect, None, classes).unwrap_err();
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
    assert!(why("\n\n1,x\n2,y\n,y\n").contains("line 5, field 1"));
    assert!(why("1,\"x\nx\"\n2,y\n,y\n").contains("line 4, field 1"), "a line break in quotes");
    let table =
        Table::parse("t.csv", b"\xEF\xBB\xBFa,b\n1,x\n2,y\n", Names::Detect, None, None).unwrap();
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
    let asked = |text: String, task| {
        Table::parse("t.csv", text.as_bytes(), Names::Detect, None, Some(task)).unwrap()
    };
    assert_eq!(asked(counts(21), Task::Classification).classes.len(), 21);
    assert_eq!(asked(counts(2), Task::Regression).targets.unwrap()[..3], [0.0, 1.0, 0.0]);
}

#[test]
fn faults_of_a_regression_name_what_is_wrong() {
    let why = |text: &str| {
        let task = Some(Task::Regression);
        let table = Table::parse("t.csv", text.as_bytes(), Names::Detect, None, task);
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
        if let Ok(table) = Table::parse("x", &bytes, Names::Detect, target.as_deref(), None) {
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
