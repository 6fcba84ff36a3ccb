//! How large the results of operators become, for who decides how much to compute at once.

use std::cell::Cell;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

/// The numbers in a result of one of our operators on this thread.
#[cfg(feature = "flex")]
pub(crate) fn seen(numbers: usize) {
    LARGEST.set(LARGEST.get().max(numbers));
}

/// What `run` returns, and the most numbers that one result of an operator held meanwhile: 0
/// where none was ours, as on a GPU.
pub fn largest_result<T>(run: impl FnOnce() -> T) -> (T, usize) {
    LARGEST.set(0);
    let out = run();
    (out, LARGEST.get())
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use crate::ops::{Activation, linear};
    use burn::tensor::{Device, Tensor};

    #[test]
    fn the_largest_result_is_that_of_a_batch() {
        let device = Device::flex();
        let layer = |x: Tensor<2>, outputs: usize| {
            let weight = Tensor::<2>::ones([x.dims()[1], outputs], &device);
            linear(x, weight, None, Activation::Identity)
        };
        for rows in [1, 3] {
            let run = || layer(layer(Tensor::<2>::ones([rows, 900], &device), 70), 20).dims();
            assert_eq!(super::largest_result(run), ([rows, 20], rows * 70));
        }
        assert_eq!(super::largest_result(|| ()).1, 0);
    }
}
