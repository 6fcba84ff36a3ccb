//! The choices of a model that makes images from noise. A model of the zoo is a set of them.

use serde::{Deserialize, Serialize};

/// What the networks are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layers {
    /// Fully connected layers.
    Perceptron,
    /// Convolutions.
    Convolutions,
}

/// What the two networks play for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Cross-entropy; the generator raises the probability that its images are taken for real.
    NonSaturating,
    /// Cross-entropy; the generator lowers the probability that they are seen through: the
    /// minimax game of the first paper, whose gradient vanishes where the discriminator wins.
    Saturating,
    /// Squared distances from 1 and 0 (Mao et al., 2017).
    LeastSquares,
    /// Margins of 1 (Lim and Ye, 2017).
    Hinge,
    /// The difference of the means (Arjovsky et al., 2017).
    Wasserstein,
}

/// The choices of a model that makes images from noise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoiseConfig {
    /// 1 for grey, 3 for colour.
    pub channels: usize,
    /// What the networks are made of.
    pub layers: Layers,
    /// Classes that an image is asked for by; 0 for none.
    pub classes: usize,
    /// Rows and columns of an image.
    pub side: usize,
    /// Numbers of noise.
    pub latent: usize,
    /// Channels of the largest maps; units of the narrowest layer.
    pub width: usize,
    /// What the networks play for.
    pub rule: Rule,
    /// What a real image's 1 is lowered by.
    pub smooth: f64,
    /// Steps of the discriminator for each of the generator.
    pub critic_steps: usize,
    /// The discriminator's learning rate as a multiple of the generator's.
    pub rate_ratio: f64,
    /// Whether the discriminator normalises its maps over the batch.
    pub critic_norm: bool,
    /// Whether the discriminator's weights are divided by their largest singular value.
    pub spectral: bool,
    /// After each step the critic's weights are clipped to this; 0 for not at all.
    pub clip: f64,
    /// Weight of the gradient penalty; 0 for none.
    pub penalty: f64,
    /// What each step keeps of the generator's moving average; 0 for none.
    pub average: f64,
    /// Categories of the code; 0 for none.
    pub categories: usize,
    /// Continuous numbers of the code, in -1..1.
    pub codes: usize,
    /// Weight of what the images tell of their code.
    pub information: f64,
}

impl NoiseConfig {
    /// The fields that the data and the model decide, which `--set` leaves alone.
    pub const FIXED: &'static [&'static str] = &["channels", "layers", "classes"];

    /// What `dcgan` is: the others say what differs.
    pub fn new(channels: usize, side: usize) -> Self {
        Self {
            channels,
            layers: Layers::Convolutions,
            classes: 0,
            side,
            latent: 64,
            width: 32,
            rule: Rule::NonSaturating,
            smooth: 0.0,
            critic_steps: 1,
            rate_ratio: 0.5,
            critic_norm: true,
            spectral: false,
            clip: 0.0,
            penalty: 0.0,
            average: 0.998,
            categories: 0,
            codes: 0,
            information: 1.0,
        }
    }

    /// Numbers that the generator takes for an image.
    pub fn inputs(&self) -> usize {
        self.latent + self.classes + self.categories + self.codes
    }

    /// Whether an image tells its code.
    pub fn has_code(&self) -> bool {
        self.categories + self.codes > 0
    }

    /// What a field does, for `--set help`.
    pub fn meaning(field: &str) -> &'static str {
        match field {
            "side" => "rows and columns of an image: 28, 32, 64 or 128",
            "latent" => "numbers of noise",
            "width" => "channels of the largest maps; units of the narrowest layer",
            "rule" => "non-saturating, saturating, least-squares, hinge or wasserstein",
            "smooth" => "label smoothing: what a real image's 1 is lowered by",
            "critic_steps" => "steps of the discriminator for each of the generator",
            "rate_ratio" => "two time scales: the discriminator's rate over the generator's",
            "critic_norm" => "batch normalisation in the discriminator",
            "spectral" => "spectral normalisation of the discriminator",
            "clip" => "clip the critic's weights to this after each step; 0 for not at all",
            "penalty" => "weight of the gradient penalty; 0 for none",
            "average" => "what each step keeps of the generator's moving average; 0 for none",
            "categories" => "categories of the code",
            "codes" => "continuous numbers of the code",
            "information" => "weight of what the images tell of their code",
            _ => "",
        }
    }

    /// Refuses choices that cannot work: from `--set`, or a file that someone has edited.
    ///
    /// # Errors
    /// The field, its value, and what is expected.
    pub fn check(&self) -> Result<(), String> {
        let Self { channels, side, latent, width, critic_steps, .. } = *self;
        if ![1, 3].contains(&channels) {
            return Err(format!("channels={channels}: expected 1 or 3"));
        }
        let sides: &[usize] = match self.layers {
            Layers::Convolutions => &[28, 32, 64, 128],
            Layers::Perceptron => &[16, 28, 32, 64],
        };
        if !sides.contains(&side) {
            return Err(format!("side={side}: expected one of {sides:?}"));
        }
        for (name, value, most) in
            [("latent", latent, 4096), ("width", width, 1024), ("critic_steps", critic_steps, 100)]
        {
            if !(1..=most).contains(&value) {
                return Err(format!("{name}={value}: expected 1 to {most}"));
            }
        }
        for (name, value) in
            [("classes", self.classes), ("categories", self.categories), ("codes", self.codes)]
        {
            if value > 1000 {
                return Err(format!("{name}={value}: expected 0 to 1000"));
            }
        }
        for (name, value, most) in [
            ("smooth", self.smooth, 0.5),
            ("clip", self.clip, 10.0),
            ("penalty", self.penalty, 1000.0),
            ("information", self.information, 100.0),
            ("average", self.average, 0.9999),
        ] {
            if !(0.0..=most).contains(&value) {
                return Err(format!("{name}={value}: expected 0 to {most}"));
            }
        }
        if !(0.01..=100.0).contains(&self.rate_ratio) {
            return Err(format!("rate_ratio={}: expected 0.01 to 100", self.rate_ratio));
        }
        if self.layers == Layers::Perceptron && (self.spectral || self.penalty > 0.0) {
            return Err("spectral and penalty are for convolutions".into());
        }
        if self.penalty > 0.0 && self.critic_norm {
            return Err("penalty wants critic_norm=false: with it an image's gradient depends on \
                        the others of its batch"
                .into());
        }
        if self.has_code() && self.layers == Layers::Perceptron {
            return Err("categories and codes are for convolutions".into());
        }
        Ok(())
    }
}
