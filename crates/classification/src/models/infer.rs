//! What the names and shapes of weights tell about the network that they are of.

use super::input::Stem;

/// The shape of a named weight.
pub(super) fn shape<'a>(keys: &'a [(String, Vec<usize>)], name: &str) -> Option<&'a [usize]> {
    keys.iter().find(|(key, _)| key == name).map(|(_, shape)| &shape[..])
}

/// The image that flattens to so many numbers: square, grey or else in colour.
pub(super) fn square_input(numbers: usize) -> Option<[usize; 3]> {
    let sides = [1, 3].map(|channels| (channels, (numbers / channels).isqrt()));
    let fits = |(channels, side): (usize, usize)| channels * side * side == numbers;
    sides.into_iter().find(|&shape| fits(shape)).map(|(channels, side)| [channels, side, side])
}

/// The shape of the images and the number of classes, from the weights of the `first`
/// convolution, which has a kernel of `side` pixels under the stem for ImageNet, and of the
/// `last` layer.
pub(super) fn image_sizes(
    keys: &[(String, Vec<usize>)],
    (first, side): (&str, usize),
    last: &str,
) -> Option<([usize; 3], usize)> {
    let &[classes, _] = shape(keys, last)? else { return None };
    let &[_, channels, _, width] = shape(keys, first)? else { return None };
    let stem = if width == side { Stem::ImageNet } else { Stem::Small };
    Some((stem.input(channels), classes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_square_image() {
        assert_eq!(square_input(784), Some([1, 28, 28]));
        assert_eq!(square_input(3072), Some([3, 32, 32]));
        assert_eq!(square_input(5), None);
    }
}
