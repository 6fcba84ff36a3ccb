//! The closed list of this crate's models: names and literature.

use tenfold_core::zoo;

/// The models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zoo {
    /// Character language model.
    Charlm,
    /// Word vectors, neighbours predicted from a word.
    Skipgram,
    /// Word vectors, a word predicted from its neighbours.
    Cbow,
    /// Bidirectional LSTM with attention, a classifier of texts.
    BiLstm,
    /// Encoder-decoder with attention.
    Translate,
    /// Captions, the image as the first word.
    ShowTell,
    /// Captions, attention over the image before each word.
    ShowAttendTell,
    /// Visual questions, image and question multiplied.
    Vqa,
    /// Visual questions, two hops of attention.
    StackedAttention,
    /// Visual questions, attention by each phrase.
    Phrases,
}

impl zoo::Zoo for Zoo {
    const TASK: &'static str = "sequence";
    const ALL: &'static [(Self, &'static str)] = &[
        (Self::Charlm, "charlm"),
        (Self::Skipgram, "skipgram"),
        (Self::Cbow, "cbow"),
        (Self::BiLstm, "bilstm"),
        (Self::Translate, "translate"),
        (Self::ShowTell, "show-tell"),
        (Self::ShowAttendTell, "show-attend-tell"),
        (Self::Vqa, "vqa"),
        (Self::StackedAttention, "stacked-attention"),
        (Self::Phrases, "phrases"),
    ];
}

impl Zoo {
    /// Title, paper and year.
    pub(crate) fn literature(self) -> (&'static str, &'static str, u16) {
        match self {
            Self::Charlm => (
                "Character language model",
                "Graves, Generating Sequences With Recurrent Neural Networks",
                2013,
            ),
            Self::Skipgram => (
                "Word vectors, skip-gram",
                "Mikolov et al., Distributed Representations of Words and Phrases",
                2013,
            ),
            Self::Cbow => (
                "Word vectors, continuous bag of words",
                "Mikolov et al., Efficient Estimation of Word Representations",
                2013,
            ),
            Self::BiLstm => (
                "Bidirectional LSTM with attention",
                "Zhou et al., Attention-Based Bidirectional Long Short-Term Memory Networks",
                2016,
            ),
            Self::Translate => (
                "Encoder-decoder with attention",
                "Bahdanau et al., Neural Machine Translation by Jointly Learning to Align and \
                 Translate",
                2015,
            ),
            Self::ShowTell => (
                "Show and Tell",
                "Vinyals et al., Show and Tell: A Neural Image Caption Generator",
                2015,
            ),
            Self::ShowAttendTell => (
                "Show, Attend and Tell",
                "Xu et al., Show, Attend and Tell: Neural Image Caption Generation with Visual \
                 Attention",
                2015,
            ),
            Self::Vqa => {
                ("Deeper LSTM Q + norm I", "Antol et al., VQA: Visual Question Answering", 2015)
            }
            Self::StackedAttention => (
                "Stacked attention network",
                "Yang et al., Stacked Attention Networks for Image Question Answering",
                2016,
            ),
            Self::Phrases => (
                "Phrase-level attention",
                "Lu et al., Hierarchical Question-Image Co-Attention for Visual Question Answering",
                2016,
            ),
        }
    }
}
