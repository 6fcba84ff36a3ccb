//! What a model takes, and in which shape.

use serde::{Deserialize, Serialize};
use tenfold_core::data::{Kind, Preprocess, Resize};
use tenfold_core::{Error, Result};

/// Pixels a side of the images that the networks for ImageNet take.
const IMAGENET_SIDE: usize = 224;
/// Images of at most this many pixels a side keep their size, under the small stem and in
/// models that flatten them.
const MOST_SMALL: usize = 64;
/// A smaller image would vanish while the networks halve it.
const LEAST_SMALL: usize = 28;
/// Pixels a side of images that are to be small, where their own size is unknown or too large.
const SMALL_SIDE: usize = 32;

/// How a network begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stem {
    /// The paper's, for images of about 224 pixels a side.
    ImageNet,
    /// For images of 28 to 64 pixels a side, which the paper's stem would shrink to nothing:
    /// fewer strides and pools, as used on CIFAR.
    Small,
}

impl Stem {
    /// [`ModelConfig::FIELDS`] of a network with such a choice.
    ///
    /// [`ModelConfig::FIELDS`]: super::ModelConfig::FIELDS
    pub(super) const FIELD: (&'static str, &'static str) = (
        "stem",
        "how the network begins: imagenet, for images of about 224 pixels a side, or small, for \
         28 to 64",
    );

    /// The stem for inputs of shape `[channels, height, width]`.
    pub fn of([_, height, width]: [usize; 3]) -> Self {
        if height.max(width) <= MOST_SMALL { Self::Small } else { Self::ImageNet }
    }

    /// The first value under the stem for ImageNet, the second under the small one.
    pub(super) fn choose<T>(self, imagenet: T, small: T) -> T {
        match self {
            Self::ImageNet => imagenet,
            Self::Small => small,
        }
    }

    /// The shape of the images where nothing but the stem and the channels are known.
    pub(super) fn input(self, channels: usize) -> [usize; 3] {
        let side = self.choose(IMAGENET_SIDE, SMALL_SIDE);
        [channels, side, side]
    }

    /// The fewest pixels a side: AlexNet's first layers, the greediest, leave nothing of less
    /// than 63.
    pub(super) fn smallest(self) -> usize {
        self.choose(63, LEAST_SMALL)
    }

    /// torchvision's preprocessing for its ImageNet weights; for small images there is none.
    pub(super) fn preprocess(self, [channels, height, width]: [usize; 3]) -> Option<Preprocess> {
        let (mean, std) = imagenet(channels);
        // The middle of 224 pixels a side is cut out of 256.
        let resize = Resize::ShorterSide(height.min(width) * 8 / 7);
        let whole = Preprocess::Image { channels, height, width, resize, mean, std };
        self.choose(Some(whole), None)
    }
}

/// The mean and the deviation of ImageNet's images.
pub(super) fn imagenet(channels: usize) -> (Vec<f32>, Vec<f32>) {
    match channels {
        3 => (vec![0.485, 0.456, 0.406], vec![0.229, 0.224, 0.225]),
        _ => (vec![0.449; channels], vec![0.226; channels]),
    }
}

/// What a model is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The shape `[channels, height, width]` of the inputs.
    pub input: [usize; 3],
    /// How many classes; 1 in a regression, 0 in a backbone alone.
    pub classes: usize,
    /// How it begins, in a network that has the choice.
    pub stem: Option<Stem>,
}

impl Sizes {
    /// Of a model without a choice of stems.
    pub fn new(input: [usize; 3], classes: usize) -> Self {
        Self { input, classes, stem: None }
    }
}

/// The data that a model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Images: those of 28 to 64 pixels a side as they are, all others with 224.
    Images,
    /// Images of so many pixels a side.
    ImagesOf(usize),
    /// Grey images of at most so many pixels a side, in whole cells of 4, two or more a side.
    Cells(usize),
    /// Rows of a table.
    Rows,
    /// Images and rows, flattened; images of more than 64 pixels a side with 32.
    Anything,
}

impl Takes {
    /// The shape `[channels, height, width]` in which such data is taken; a row of a table is
    /// `[1, 1, columns]`.
    ///
    /// # Errors
    /// Data of another kind.
    pub fn shape(self, kind: &Kind) -> Result<[usize; 3]> {
        let refused = |why: &str| Err(Error::argument("--data", why));
        match (self, kind) {
            (Self::Rows | Self::Anything, Kind::Rows { columns, .. }) => Ok([1, 1, columns.len()]),
            (Self::Cells(_), Kind::Rows { .. }) => {
                refused("a table; histograms of gradients need images")
            }
            (Self::Images | Self::ImagesOf(_), Kind::Rows { .. }) => {
                refused("a table has no images for a convolutional network: take mlp or logistic")
            }
            (Self::Rows, Kind::Images { .. }) => refused("images; this model takes a table"),
            (_, Kind::Texts) => refused("texts; expected images or a table"),
            (_, &Kind::Images { channels, height, width }) => {
                Ok(self.image(channels, height, width))
            }
        }
    }

    /// The shape of images of `side` pixels a side, which a person asked for.
    ///
    /// # Errors
    /// Data without images; a side that is no whole number of cells.
    pub fn of_side(self, kind: &Kind, side: usize) -> Result<[usize; 3]> {
        let [channels, ..] = self.shape(kind)?;
        let refused = |why: String| Err(Error::argument("--size", why));
        match (self, kind) {
            (_, Kind::Rows { .. } | Kind::Texts) => refused("this data has no images".into()),
            (Self::Cells(most), _) if side > most || !side.is_multiple_of(4) => {
                refused(format!("{side}; expected a multiple of 4, at most {most}"))
            }
            _ => Ok([channels, side, side]),
        }
    }

    fn image(self, channels: usize, height: usize, width: usize) -> [usize; 3] {
        let square = |side| [channels, side, side];
        let largest = height.max(width);
        match self {
            Self::Images if largest > MOST_SMALL => square(IMAGENET_SIDE),
            Self::Images => [channels, height.max(LEAST_SMALL), width.max(LEAST_SMALL)],
            Self::ImagesOf(side) => square(side),
            Self::Cells(most) => {
                let cells = |side: usize| (side.min(most) / 4 * 4).max(8);
                [1, cells(height), cells(width)]
            }
            Self::Rows | Self::Anything if largest > MOST_SMALL => square(SMALL_SIDE),
            Self::Rows | Self::Anything => [channels, height, width],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_images_keep_their_size() {
        let input =
            |height, width| Takes::Images.shape(&Kind::Images { channels: 3, height, width });
        assert_eq!(input(32, 32).unwrap(), [3, 32, 32]);
        assert_eq!(input(8, 64).unwrap(), [3, 28, 64]);
        assert_eq!(input(65, 20).unwrap(), [3, 224, 224]);
        let why = Takes::Images.shape(&Kind::rows(vec!["a".into()])).unwrap_err();
        assert!(why.to_string().contains("take mlp or logistic"), "{why}");
    }

    #[test]
    fn a_person_chooses_the_size() {
        let photo = Kind::Images { channels: 3, height: 480, width: 640 };
        let side = |takes: Takes, side| takes.of_side(&photo, side);
        assert_eq!(side(Takes::Images, 128).unwrap(), [3, 128, 128]);
        assert_eq!(side(Takes::Anything, 48).unwrap(), [3, 48, 48]);
        assert_eq!(side(Takes::Cells(64), 32).unwrap(), [1, 32, 32]);
        assert!(side(Takes::Cells(64), 30).unwrap_err().to_string().contains("a multiple of 4"));
        let table = Kind::rows(vec!["a".into()]);
        assert!(Takes::Anything.of_side(&table, 32).is_err());
    }

    #[test]
    fn what_is_flattened_is_small_or_made_small() {
        let photo = Kind::Images { channels: 3, height: 480, width: 640 };
        assert_eq!(Takes::Anything.shape(&photo).unwrap(), [3, 32, 32]);
        assert_eq!(Takes::Cells(64).shape(&photo).unwrap(), [1, 64, 64]);
        assert!(Takes::Rows.shape(&photo).is_err());
        let table = Kind::rows(vec!["a".into(), "b".into()]);
        assert_eq!(Takes::Anything.shape(&table).unwrap(), [1, 1, 2]);
        assert_eq!(Takes::Rows.shape(&table).unwrap(), [1, 1, 2]);
        assert!(Takes::Cells(64).shape(&table).is_err());
        assert!(Takes::Anything.shape(&Kind::Texts).is_err());
    }
}
