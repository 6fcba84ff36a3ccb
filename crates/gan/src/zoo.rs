//! The closed list of this crate's models.

use crate::models::config::NoiseConfig;
use crate::models::network::Generator;
use crate::models::translate::TranslateConfig;
use crate::models::translators::Translators;
use crate::models::{cgan, cyclegan, dcgan, gan, infogan, pix2pix, wgan, wgan_gp};
use tenfold_classification::models::parameters;
use tenfold_core::data::{glyphs, scenes};
use tenfold_core::device;
use tenfold_core::zoo::{self, Card};

/// The models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zoo {
    /// The first GAN.
    Gan,
    /// DCGAN.
    DcGan,
    /// Conditional GAN.
    CGan,
    /// InfoGAN.
    InfoGan,
    /// Wasserstein GAN.
    WGan,
    /// Wasserstein GAN with a gradient penalty.
    WGanGp,
    /// Pix2Pix.
    Pix2Pix,
    /// CycleGAN.
    CycleGan,
}

impl zoo::Zoo for Zoo {
    const TASK: &'static str = "gan";
    const ALL: &'static [(Self, &'static str)] = &[
        (Self::Gan, "gan"),
        (Self::DcGan, "dcgan"),
        (Self::CGan, "cgan"),
        (Self::InfoGan, "infogan"),
        (Self::WGan, "wgan"),
        (Self::WGanGp, "wgan_gp"),
        (Self::Pix2Pix, "pix2pix"),
        (Self::CycleGan, "cyclegan"),
    ];
}

impl Zoo {
    /// Whether it makes images from noise, not from images.
    pub fn from_noise(self) -> bool {
        !matches!(self, Self::Pix2Pix | Self::CycleGan)
    }

    /// The choices of a model that makes images of so many channels and pixels a side from noise.
    pub fn noise(self, channels: usize, side: usize, classes: usize) -> NoiseConfig {
        match self {
            Self::Gan => gan::config(channels, side),
            Self::DcGan | Self::Pix2Pix | Self::CycleGan => dcgan::config(channels, side),
            Self::CGan => cgan::config(channels, side, classes),
            Self::InfoGan => infogan::config(channels, side, classes),
            Self::WGan => wgan::config(channels, side),
            Self::WGanGp => wgan_gp::config(channels, side),
        }
    }

    /// The choices of a model that makes images from images of so many channels.
    pub fn translation(self, channels: [usize; 2], side: usize) -> TranslateConfig {
        match self {
            Self::CycleGan => cyclegan::config(channels, side),
            _ => pix2pix::config(channels, side),
        }
    }

    /// The line of `models`.
    pub fn card(self) -> Card {
        let (title, paper, year) = match self {
            Self::Gan => ("GAN", "Goodfellow et al., Generative Adversarial Nets", 2014),
            Self::DcGan => (
                "DCGAN",
                "Radford et al., Unsupervised Representation Learning with Deep Convolutional \
                 Generative Adversarial Networks",
                2016,
            ),
            Self::CGan => (
                "Conditional GAN",
                "Mirza and Osindero, Conditional Generative Adversarial Nets",
                2014,
            ),
            Self::InfoGan => (
                "InfoGAN",
                "Chen et al., InfoGAN: Interpretable Representation Learning by Information \
                 Maximizing Generative Adversarial Nets",
                2016,
            ),
            Self::WGan => ("WGAN", "Arjovsky et al., Wasserstein GAN", 2017),
            Self::WGanGp => {
                ("WGAN-GP", "Gulrajani et al., Improved Training of Wasserstein GANs", 2017)
            }
            Self::Pix2Pix => (
                "Pix2Pix",
                "Isola et al., Image-to-Image Translation with Conditional Adversarial Networks",
                2017,
            ),
            Self::CycleGan => (
                "CycleGAN",
                "Zhu et al., Unpaired Image-to-Image Translation using Cycle-Consistent \
                 Adversarial Networks",
                2017,
            ),
        };
        let counted = |cpu| match self.from_noise() {
            true => {
                let config = self.noise(1, glyphs::SIDE, glyphs::CLASSES);
                parameters(&Generator::new(&config, &cpu))
            }
            false => {
                let config = self.translation([3, 3], scenes::SIDE);
                parameters(&Translators::new(&config, &cpu))
            }
        };
        let parameters = device::open("cpu").map_or(0, counted);
        let data = if self.from_noise() { glyphs::NAME } else { scenes::NAME };
        let name = zoo::Zoo::name(self);
        Card { name, title, paper, year, parameters, data }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::zoo::Zoo as _;

    #[test]
    fn every_model_has_a_card_and_a_network() {
        for &(model, name) in Zoo::ALL {
            let card = model.card();
            assert!(card.parameters > 0 && card.year > 2000, "{card:?}");
            assert_eq!((card.name, Zoo::named(name)), (name, Some(model)));
        }
    }
}
