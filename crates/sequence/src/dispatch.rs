//! From a model's name to its kind: the one match, and the line of `models`.

use crate::kind::Kind;
use crate::zoo::Zoo;
use tenfold_core::device;
use tenfold_core::zoo::{self, Card};

/// Runs `$body` with `$kind` as the kind of a model.
macro_rules! with_kind {
    ($zoo:expr, $kind:ident => $body:expr) => {{
        use $crate::answering::Answering;
        use $crate::captioning::Captioning;
        use $crate::language_model::LanguageModel;
        use $crate::models::vqa::Fusion;
        use $crate::models::word2vec::Architecture;
        use $crate::text_classifier::TextClassification;
        use $crate::translate::Translation;
        use $crate::word_vectors::WordVectors;
        use $crate::dispatch::with_kind as arm;
        use $crate::zoo::Zoo;
        match $zoo {
            Zoo::Charlm => arm!(@ LanguageModel, $kind, $body),
            Zoo::Skipgram => arm!(@ WordVectors(Architecture::Skipgram), $kind, $body),
            Zoo::Cbow => arm!(@ WordVectors(Architecture::Cbow), $kind, $body),
            Zoo::BiLstm => arm!(@ TextClassification, $kind, $body),
            Zoo::Translate => arm!(@ Translation, $kind, $body),
            Zoo::ShowTell => arm!(@ Captioning { attends: false }, $kind, $body),
            Zoo::ShowAttendTell => arm!(@ Captioning { attends: true }, $kind, $body),
            Zoo::Vqa => arm!(@ Answering(Fusion::Product), $kind, $body),
            Zoo::StackedAttention => arm!(@ Answering(Fusion::Attention), $kind, $body),
            Zoo::Phrases => arm!(@ Answering(Fusion::Phrases), $kind, $body),
        }
    }};
    (@ $value:expr, $kind:ident, $body:expr) => {{
        let $kind = $value;
        $body
    }};
}
pub(crate) use with_kind;

impl Zoo {
    /// The line of `models`.
    pub fn card(self) -> Card {
        fn default_data<K: Kind>(_: &K) -> &'static str {
            K::DATA
        }
        let (title, paper, year) = self.literature();
        let (data, parameters) = with_kind!(self, kind => {
            let parameters = device::open("cpu").map_or(0, |cpu| kind.parameters(&cpu));
            (default_data(&kind), parameters)
        });
        Card { name: zoo::Zoo::name(self), title, paper, year, parameters, data }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::zoo::Zoo as _;

    #[test]
    fn every_model_has_a_card() {
        for &(model, name) in Zoo::ALL {
            let card = model.card();
            assert!(card.parameters > 0 && card.year > 1980, "{card:?}");
            assert_eq!((card.name, Zoo::named(name)), (name, Some(model)));
        }
    }
}
