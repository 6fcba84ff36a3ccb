//! Sizes that a caller gives.

/// Numbers in data of these sizes, where memory can hold so many. A size of 0 counts as 1 in
/// what is checked, so that no part of the product overflows either.
pub(super) fn floats(sizes: &[usize]) -> Option<usize> {
    const MOST: usize = isize::MAX as usize / size_of::<f32>();
    let most = sizes.iter().try_fold(1usize, |all, &size| all.checked_mul(size.max(1)))?;
    (most <= MOST).then(|| if sizes.contains(&0) { 0 } else { most })
}

/// The same of sizes that are known to be too large only now.
///
/// # Panics
/// Where memory cannot hold so many.
pub(super) fn some_floats(sizes: &[usize]) -> usize {
    floats(sizes).unwrap_or_else(|| panic!("sizes {sizes:?} are more than memory holds"))
}

#[cfg(test)]
mod tests {
    use super::floats;

    #[test]
    fn a_product_is_right_or_refused() {
        assert_eq!([floats(&[]), floats(&[3, 4]), floats(&[3, 0])], [Some(1), Some(12), Some(0)]);
        let half = 1 << (usize::BITS / 2);
        assert_eq!([floats(&[half, half]), floats(&[half, half, 0])], [None, None]);
        assert_eq!([floats(&[usize::MAX]), floats(&[usize::MAX / 4, 2])], [None, None]);
    }
}
