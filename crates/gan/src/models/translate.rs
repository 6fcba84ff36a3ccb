//! The choices of a model that makes images from images.

use super::config::Rule;
use super::norm::Norm;
use serde::{Deserialize, Serialize};

/// What translates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Net {
    /// A U-Net: maps of every size go across.
    Unet,
    /// Six residual blocks between two halvings and two doublings.
    Resnet6,
    /// Nine of them.
    Resnet9,
}

/// The choices of a model that makes images from images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TranslateConfig {
    /// Channels of the first kind and of the second.
    pub channels: [usize; 2],
    /// Rows and columns of a training's images.
    pub side: usize,
    /// What translates.
    pub net: Net,
    /// Halvings of the U-Net.
    pub downs: usize,
    /// Channels of the largest maps.
    pub width: usize,
    /// The same of the discriminator.
    pub critic_width: usize,
    /// What normalises.
    pub norm: Norm,
    /// What the networks play for.
    pub rule: Rule,
    /// Weight of the distance from the target, where there is one.
    pub l1: f64,
    /// Weight of the distance after there and back; 0 for a model of one way.
    pub cycle: f64,
    /// Weight, times `cycle`, of the distance of what is already of the kind.
    pub identity: f64,
    /// Made images that the discriminator is shown again.
    pub pool: usize,
    /// What each step keeps of the generators' moving average; 0 for none.
    pub average: f64,
    /// Whether the second kind is translated into the first.
    pub reverse: bool,
}

impl TranslateConfig {
    /// The fields that the data and the model decide, which `--set` leaves alone.
    pub const FIXED: &'static [&'static str] = &["channels"];

    /// Whether it translates both ways.
    pub fn both_ways(&self) -> bool {
        self.cycle > 0.0
    }

    /// Sides of images are multiples of this.
    pub fn multiple(&self) -> usize {
        match self.net {
            Net::Unet => 1 << self.downs,
            _ => 4,
        }
    }

    /// What a field does, for `--set help`.
    pub fn meaning(field: &str) -> &'static str {
        match field {
            "side" => "rows and columns of a training's images",
            "net" => "unet, resnet6 or resnet9",
            "downs" => "halvings of the U-Net: 8 for images of 256 in the paper",
            "width" => "channels of the generator's largest maps: 64 in the papers",
            "critic_width" => "the same of the discriminator: 64 in the papers",
            "norm" => "instance or batch",
            "rule" => "non-saturating, least-squares, hinge or wasserstein",
            "l1" => "weight of the distance from the target",
            "cycle" => "weight of the distance after there and back",
            "identity" => "weight, times cycle, of the distance of what is already of the kind",
            "pool" => "made images that the discriminator is shown again",
            "average" => "what each step keeps of the generators' moving average; 0 for none",
            "reverse" => "translate the second kind into the first (pix2pix)",
            _ => "",
        }
    }

    /// Refuses choices that cannot work: from `--set`, or a file that someone has edited.
    ///
    /// # Errors
    /// The field, its value, and what is expected.
    pub fn check(&self) -> Result<(), String> {
        if self.channels.iter().any(|channels| ![1, 3].contains(channels)) {
            return Err(format!("channels={:?}: expected 1 or 3 of each", self.channels));
        }
        let (side, multiple) = (self.side, self.multiple_or_1());
        if !(32..=1024).contains(&side) || side % multiple != 0 {
            return Err(format!(
                "side={side}: expected 32 to 1024 and a multiple of {multiple}, which {} halvings \
                 ask for",
                multiple.ilog2()
            ));
        }
        for (name, value, least, most) in [
            ("downs", self.downs, 4, 10),
            ("width", self.width, 1, 256),
            ("critic_width", self.critic_width, 1, 256),
            ("pool", self.pool, 0, 1000),
        ] {
            if !(least..=most).contains(&value) {
                return Err(format!("{name}={value}: expected {least} to {most}"));
            }
        }
        for (name, value, most) in [
            ("l1", self.l1, 1000.0),
            ("cycle", self.cycle, 1000.0),
            ("identity", self.identity, 100.0),
            ("average", self.average, 0.9999),
        ] {
            if !(0.0..=most).contains(&value) {
                return Err(format!("{name}={value}: expected 0 to {most}"));
            }
        }
        Ok(())
    }

    fn multiple_or_1(&self) -> usize {
        match self.net {
            Net::Unet => 1 << self.downs.min(10),
            _ => 4,
        }
    }
}
