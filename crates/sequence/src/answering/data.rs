//! Images with questions: drawn scenes, easy-VQA, and the layout of VQA v2.

use crate::config::DataChoice;
use crate::images::{self, Images, SIDE};
use crate::splits::Splits;
use crate::text;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tenfold_core::data::locate::{self, Fetched, Place};
use tenfold_core::data::random::SplitMix64;
use tenfold_core::data::scenes::{self, Asked, Part, Recipe, ask};
use tenfold_core::{Error, Result};

/// Drawn images to learn from, to validate and to test with.
const DRAWN: [usize; 3] = [40_000, 1_000, 4_000];
/// Questions of each kind about a drawn image that is learnt from.
const EACH: usize = 3;

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What is asked.
    pub text: String,
    /// The answer that is learnt.
    pub answer: String,
    /// What ten people answered, in VQA v2.
    pub people: Vec<String>,
    /// What kind of question it is.
    pub kind: String,
}

impl Question {
    /// How right an answer is: 1 or 0; with people's answers as VQA measures it, the mean over
    /// all but one of them of `min(1, those who said so / 3)` (Antol et al., section 3).
    pub fn rightness(&self, answer: &str) -> f64 {
        if self.people.len() < 2 {
            return f64::from(u8::from(answer == self.answer));
        }
        let agree = self.people.iter().filter(|own| *own == answer).count();
        let without = |own: &String| agree - usize::from(own == answer);
        let sum: f64 = self.people.iter().map(|own| (without(own) as f64 / 3.0).min(1.0)).sum();
        sum / self.people.len() as f64
    }
}

/// Images and what is asked about each.
pub enum Split {
    /// Scenes, so many; with `redrawn` each epoch asks other questions.
    Drawn {
        /// Which.
        part: Part,
        /// How many.
        count: usize,
        /// Whether questions change.
        redrawn: bool,
    },
    /// Files, and the questions about each.
    Listed(Images, Vec<Vec<Question>>),
}

impl Split {
    /// How many images.
    pub fn len(&self) -> usize {
        match self {
            Self::Drawn { count, .. } => *count,
            Self::Listed(_, questions) => questions.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The images.
    pub fn images(&self) -> Images {
        match self {
            Self::Drawn { part, .. } => Images::Drawn(*part, Recipe::ASKED),
            Self::Listed(images, _) => images.clone(),
        }
    }

    /// The questions about one image; `seed` is the epoch's.
    pub fn questions(&self, index: usize, seed: u64) -> Vec<Question> {
        match self {
            Self::Drawn { part, redrawn, .. } => drawn(*part, index, redrawn.then_some(seed)),
            Self::Listed(_, questions) => questions[index].clone(),
        }
    }
}

/// A data set.
pub struct Visual {
    /// The images.
    pub splits: Splits<Arc<Split>>,
    /// Rows and columns of the images, as a network should take them.
    pub side: usize,
}

/// Opens `scenes`, a fetched `easy-vqa`, or a folder in the layout of VQA v2: for each of
/// `train`, `val` and perhaps `test` one `*questions.json`, one `*annotations.json` and a
/// folder of images whose names end in the image's number.
///
/// # Errors
/// There is none, it is damaged, or it names images that are not there.
pub fn open(choice: &DataChoice, data_dir: &Path) -> Result<Visual> {
    if choice.name == scenes::NAME {
        let [train, validation, test] = DRAWN;
        let train = choice.limit.map_or(train, |limit| limit.min(train));
        let split = |part, count, redrawn| Arc::new(Split::Drawn { part, count, redrawn });
        let splits = Splits {
            train: split(Part::Train, train, true),
            validation: split(Part::Validation, validation, false),
            test: split(Part::Test, test, false),
        };
        return Ok(Visual { splits, side: SIDE });
    }
    let [train, validation, test] = match locate::locate(&choice.name, data_dir)? {
        Place::Fetched(fetched) if fetched.layout == "easy-vqa" => easy(&fetched, choice.seed)?,
        Place::Folder(folder) => vqa(&folder, choice.seed)?,
        Place::Fetched(Fetched { layout, .. }) => {
            return Err(text::other_layout(&choice.name, &layout, "questions about images"));
        }
        Place::File(file) => {
            let why = format!("`{}` is a file; expected a folder", file.display());
            return Err(Error::argument("--data", why));
        }
    };
    let first = train.first().ok_or_else(|| Error::argument("--data", "no questions"))?;
    let side = images::side(&first.0)?;
    let limit = choice.limit.unwrap_or(train.len());
    let split = |part: Vec<About>| {
        let (paths, questions) = part.into_iter().unzip();
        Arc::new(Split::Listed(Images::Files(paths), questions))
    };
    let train = split(train.into_iter().take(limit).collect());
    let splits = Splits { train, validation: split(validation), test: split(test) };
    Ok(Visual { splits, side })
}

/// Questions about a scene: one of each kind, always the same, or several that change with the
/// seed.
fn drawn(part: Part, index: usize, seed: Option<u64>) -> Vec<Question> {
    let scene = images::scene(part, &Recipe::ASKED, index);
    let mut random = SplitMix64::keyed(&[part.seed(), index as u64, seed.unwrap_or(0)]);
    let each = if seed.is_some() { EACH } else { 1 };
    let kinds = Asked::ALL.into_iter().flat_map(|kind| std::iter::repeat_n(kind, each));
    let asked = kinds.filter_map(|kind| ask(&scene, kind, &mut random));
    let question = |asked: scenes::Question| Question {
        text: asked.text,
        answer: asked.answer,
        people: Vec::new(),
        kind: asked.kind.name().into(),
    };
    asked.map(question).collect()
}

/// An image, and what is asked about it.
type About = (PathBuf, Vec<Question>);

/// The layout of easy-VQA; a tenth of the images to learn from validates.
fn easy(fetched: &Fetched, seed: u64) -> Result<[Vec<About>; 3]> {
    let read = |split: &str| {
        let file = fetched.path(split, "questions")?;
        let folder = fetched.path(split, "images")?;
        let rows: Vec<(String, String, u64)> = json(&file)?;
        let mut by_number: BTreeMap<u64, Vec<Question>> = BTreeMap::new();
        for (text, answer, number) in rows {
            let kind = easy_kind(&answer).into();
            let question = Question { text, answer, people: Vec::new(), kind };
            by_number.entry(number).or_default().push(question);
        }
        joined(&file, &folder, by_number)
    };
    let (mut train, test) = (read("train")?, read("test")?);
    let validation = held_out(&mut train, seed);
    Ok([train, validation, test])
}

fn easy_kind(answer: &str) -> &'static str {
    match answer {
        "yes" | "no" => "yes/no",
        "circle" | "rectangle" | "triangle" => "shape",
        _ => "colour",
    }
}

/// A tenth of the images, at random.
fn held_out(train: &mut Vec<About>, seed: u64) -> Vec<About> {
    SplitMix64::keyed(&[seed, u64::from_be_bytes(*b"held out")]).shuffle(train);
    train.split_off(train.len() - train.len() / 10)
}

/// The images that questions are about.
fn joined(file: &Path, folder: &Path, about: BTreeMap<u64, Vec<Question>>) -> Result<Vec<About>> {
    let found = images::by_name(folder)?;
    let numbered: HashMap<u64, PathBuf> =
        found.into_iter().filter_map(|(name, path)| Some((number(&name)?, path))).collect();
    let missing: Vec<String> =
        about.keys().filter(|key| !numbered.contains_key(key)).map(u64::to_string).collect();
    if !missing.is_empty() {
        return Err(images::missing(file, &missing, folder));
    }
    let pair = |(key, questions)| Some((numbered.get(&key)?.clone(), questions));
    Ok(about.into_iter().filter_map(pair).collect())
}

/// The number at the end of an image's name: 9 of `COCO_train2014_000000000009.jpg`.
fn number(name: &str) -> Option<u64> {
    let stem = Path::new(name).file_stem()?.to_str()?;
    let digits = stem.len() - stem.bytes().rev().take_while(u8::is_ascii_digit).count();
    stem[digits..].parse().ok()
}

/// The layout of VQA v2.
fn vqa(folder: &Path, seed: u64) -> Result<[Vec<About>; 3]> {
    let mut train = vqa_split(folder, "train")?.ok_or_else(|| {
        let why = "no *train*questions.json and *train*annotations.json; expected the layout of \
                   VQA v2";
        Error::file(folder, why)
    })?;
    let (validation, test) = (vqa_split(folder, "val")?, vqa_split(folder, "test")?);
    // The published test questions come without answers: `val` judges then.
    let (validation, test) = match (validation, test) {
        (Some(validation), Some(test)) => (validation, test),
        (Some(test), None) | (None, Some(test)) => (held_out(&mut train, seed), test),
        (None, None) => (held_out(&mut train, seed), held_out(&mut train, seed + 1)),
    };
    match train.is_empty() || validation.is_empty() || test.is_empty() {
        true => Err(Error::file(folder, "too few images to train, validate and test with")),
        false => Ok([train, validation, test]),
    }
}

#[derive(Deserialize)]
struct QuestionsFile {
    questions: Vec<QuestionRow>,
}

#[derive(Deserialize)]
struct QuestionRow {
    image_id: u64,
    question: String,
    question_id: u64,
}

#[derive(Deserialize)]
struct AnnotationsFile {
    annotations: Vec<AnnotationRow>,
}

#[derive(Deserialize)]
struct AnnotationRow {
    question_id: u64,
    multiple_choice_answer: String,
    #[serde(default)]
    answer_type: Option<String>,
    #[serde(default)]
    answers: Vec<AnswerRow>,
}

#[derive(Deserialize)]
struct AnswerRow {
    answer: String,
}

/// One split, where both its files are there.
fn vqa_split(folder: &Path, split: &str) -> Result<Option<Vec<About>>> {
    let entries = std::fs::read_dir(folder).map_err(|why| Error::io(folder, why))?;
    let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = |what: &str| {
        let fits = |path: &&PathBuf| name(path).contains(split) && name(path).ends_with(what);
        entries.iter().find(fits)
    };
    let (Some(questions), Some(annotations)) = (file("questions.json"), file("annotations.json"))
    else {
        return Ok(None);
    };
    let beside = |path: &&PathBuf| {
        path.is_dir() && (name(path).starts_with(split) || name(path) == "images")
    };
    let beside = entries.iter().find(beside).cloned().unwrap_or_else(|| folder.into());
    let rows: QuestionsFile = json(questions)?;
    let answers: AnnotationsFile = json(annotations)?;
    let mut answers: HashMap<u64, AnnotationRow> =
        answers.annotations.into_iter().map(|row| (row.question_id, row)).collect();
    let mut about: BTreeMap<u64, Vec<Question>> = BTreeMap::new();
    for QuestionRow { image_id, question, question_id } in rows.questions {
        let Some(row) = answers.remove(&question_id) else {
            let why = format!("no answer to question {question_id}");
            return Err(Error::file(annotations, why));
        };
        about.entry(image_id).or_default().push(Question {
            text: question,
            answer: row.multiple_choice_answer,
            people: row.answers.into_iter().map(|row| row.answer).collect(),
            kind: row.answer_type.unwrap_or_else(|| "any".into()),
        });
    }
    joined(questions, &beside, about).map(Some)
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_str(&text::read(path)?).map_err(|why| Error::file(path, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(folder: &Path) -> DataChoice {
        DataChoice::new(&folder.display().to_string())
    }

    fn vqa_folder(images: u64) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("train2014")).unwrap();
        for number in 0..images {
            let name = format!("train2014/COCO_train2014_{number:012}.png");
            image::RgbImage::new(20, 20).save(at(&name)).unwrap();
        }
        let question =
            |i: u64| serde_json::json!({"image_id": i, "question": "what?", "question_id": 7 * i});
        let annotation = |i: u64| {
            serde_json::json!({"question_id": 7 * i, "image_id": i, "answer_type": "other",
                "multiple_choice_answer": "a cat", "answers": [{"answer": "a cat"}]})
        };
        let questions: Vec<_> = (0..20).map(question).collect();
        let annotations: Vec<_> = (0..20).map(annotation).collect();
        let write = |name: &str, json: serde_json::Value| {
            std::fs::write(at(name), json.to_string()).unwrap();
        };
        write(
            "v2_OpenEnded_mscoco_train2014_questions.json",
            serde_json::json!({"questions": questions}),
        );
        write(
            "v2_mscoco_train2014_annotations.json",
            serde_json::json!({"annotations": annotations}),
        );
        folder
    }

    #[test]
    fn vqa_v2_is_read() {
        let folder = vqa_folder(20);
        let data = open(&choice(folder.path()), folder.path()).unwrap();
        assert_eq!(data.splits.all().map(|split| split.len()), [17, 2, 1]);
        let question = &data.splits.test.questions(0, 0)[0];
        assert_eq!(
            (&question.text[..], &question.answer[..], &question.kind[..]),
            ("what?", "a cat", "other")
        );
        assert_eq!(data.side, 32);
    }

    #[test]
    fn what_is_wrong_is_told_in_one_line() {
        let folder = vqa_folder(18);
        let why = |folder: &Path| open(&choice(folder), folder).err().unwrap().to_string();
        let said = why(folder.path());
        assert!(said.contains("questions.json: names 2 images that are not in"), "{said}");
        assert!(said.ends_with(": 18, 19"), "{said}");
        let annotations = folder.path().join("v2_mscoco_train2014_annotations.json");
        std::fs::write(&annotations, r#"{"annotations": []}"#).unwrap();
        assert!(why(folder.path()).contains("annotations.json: no answer to question 0"));
        std::fs::write(&annotations, r#"{"annotations": ["#).unwrap();
        assert!(why(folder.path()).contains("annotations.json: EOF"));
        std::fs::remove_file(&annotations).unwrap();
        assert!(why(folder.path()).contains("expected the layout of VQA v2"));
    }

    #[test]
    fn people_agree_as_vqa_counts() {
        let people = |yes: usize| Question {
            text: String::new(),
            answer: "yes".into(),
            people: (0..10).map(|i| if i < yes { "yes" } else { "no" }.into()).collect(),
            kind: String::new(),
        };
        // Of ten leave-one-outs with two who say yes: eight count 2/3, two count 1/3.
        assert!((people(2).rightness("yes") - (8.0 * 2.0 / 3.0 + 2.0 / 3.0) / 10.0).abs() < 1e-9);
        assert_eq!((people(4).rightness("yes"), people(0).rightness("yes")), (1.0, 0.0));
        let alone = Question { people: Vec::new(), ..people(0) };
        assert_eq!((alone.rightness("yes"), alone.rightness("no")), (1.0, 0.0));
    }

    #[test]
    fn drawn_questions_change_with_the_epoch_and_those_that_judge_do_not() {
        let data = open(&choice(Path::new("scenes")), Path::new("")).unwrap();
        let Splits { train, test, .. } = data.splits;
        assert_ne!(train.questions(3, 1), train.questions(3, 2));
        assert_eq!(train.questions(3, 1), train.questions(3, 1));
        assert_eq!(test.questions(3, 1), test.questions(3, 2));
        assert!(test.questions(3, 1).len() >= 4);
    }
}
