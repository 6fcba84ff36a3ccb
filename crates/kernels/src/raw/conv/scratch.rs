//! What a thread copies images to: frames of zeros, and patches.

use crate::raw::gemm::Rows;

/// What a thread needs from task to task.
#[derive(Default)]
pub(super) struct Scratch {
    pub frame: Vec<f32>,
    pub patches: Vec<f32>,
}

impl Scratch {
    /// Room for images in frames of zeros; `copy` writes the same places each time, so that
    /// the zeros stay.
    pub(super) fn frame(&mut self, len: usize, copy: impl FnOnce(&mut [f32])) -> &[f32] {
        // Beyond the end `accumulate` may read, and drop, the rest of its rows.
        self.frame.resize(len + 16, 0.0);
        copy(&mut self.frame[..len]);
        &self.frame
    }
}

/// The patches of all rows, one after the other.
///
/// # Safety
/// As for [`multiply`] of the same rows.
pub(super) unsafe fn patches<'s>(rows: &Rows<'_>, out: &'s mut Vec<f32>) -> &'s [f32] {
    let terms = rows.taps.len() * rows.depth;
    out.resize(rows.rows.len() * terms + 16, 0.0);
    for (&row, out) in rows.rows.iter().zip(out.chunks_exact_mut(terms)) {
        for (&tap, out) in rows.taps.iter().zip(out.chunks_exact_mut(rows.depth)) {
            // SAFETY: the caller vouches for `depth` floats at each tap of each row.
            let from = unsafe { rows.left.add(row as usize + tap as usize) };
            for (i, out) in out.iter_mut().enumerate() {
                // SAFETY: as above.
                *out = unsafe { *from.add(i) };
            }
        }
    }
    out
}
