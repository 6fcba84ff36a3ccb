//! A pass divided into tasks for the threads.

use super::job::{Frame, Job, offset_of};
use super::scratch::{Scratch, patches};
use super::shape::WORK;
use crate::raw::gemm::{Epilogue, Packed, Rows, multiply};
use crate::raw::{Out, SMALL, View, on_threads, threads};

/// Floats of a frame of padded images: it and a panel of weights fit the second-level cache.
const FRAME: usize = 1 << 17;

/// A job with all that its tasks share. A task is a group of images, or some panels of the
/// weights for them.
pub(super) struct Plan<'a> {
    job: &'a Job,
    source: &'a View<'a>,
    weights: &'a Packed,
    bias: Option<&'a [f32]>,
    finish: Epilogue,
    frame: Frame,
    /// Floats of an image in its frame.
    image: usize,
    /// Images of a group, groups, and parts of the panels.
    group: usize,
    groups: usize,
    parts: usize,
    /// Few channels: patches are copied, and all taps are one.
    few: bool,
    rows: Vec<u32>,
    out_rows: Vec<u32>,
    patch_rows: Vec<u32>,
}

impl<'a> Plan<'a> {
    /// The plan for one of `jobs` jobs at once; none where there is nothing to do.
    pub(super) fn new(
        (job, jobs): (&'a Job, usize),
        source: &'a View<'a>,
        weights: &'a Packed,
        bias: Option<&'a [f32]>,
        finish: Epilogue,
    ) -> Option<Self> {
        let sizes = [job.terms(), job.out_channels];
        assert_eq!([weights.terms(), weights.columns()], sizes, "packed weights");
        assert!(bias.is_none_or(|bias| bias.len() == job.out_channels), "bias");
        if job.batch == 0 || job.grid.contains(&0) || job.out_channels == 0 {
            return None;
        }
        let frame = job.frame();
        let image = frame.size[0] * frame.size[1] * job.channels;
        let group = (FRAME / image.max(1)).clamp(1, job.batch.div_ceil(threads()));
        let groups = job.batch.div_ceil(group);
        let parts = if groups * jobs < threads() {
            (2 * threads()).div_ceil(groups * jobs).min(weights.panels())
        } else {
            1
        };
        let (rows, out_rows) = (job.rows(&frame, group), job.out_rows(group));
        let few = frame.few();
        let patch_rows: Vec<u32> = if few {
            (0..rows.len()).map(|row| offset_of(row * job.terms())).collect()
        } else {
            Vec::new()
        };
        Some(Self {
            job,
            source,
            weights,
            bias,
            finish,
            frame,
            image,
            group,
            groups,
            parts,
            few,
            rows,
            out_rows,
            patch_rows,
        })
    }

    fn tasks(&self) -> usize {
        self.groups * self.parts
    }

    /// Floats moved that take as long: beside the multiplications, reading the weights counts
    /// where rows are few.
    fn work(&self) -> usize {
        let weights = self.job.terms() * self.job.out_channels;
        self.job.batch * self.job.points() * weights / WORK + weights / 2
    }

    /// Does one of the tasks; `out` is `[batch, out_size, out_channels]`.
    ///
    /// # Safety
    /// `out` has room for that, and nothing else writes the points of this grid meanwhile, save
    /// other tasks.
    unsafe fn task(&self, scratch: &mut Scratch, index: usize, out: Out) {
        let &Self { job, group, parts, image, weights, bias, finish, .. } = self;
        let (first, part) = (index / parts * group, index % parts);
        let images = group.min(job.batch - first);
        let count = images * job.points();
        let left = if self.frame.padded || !self.source.is_channels_last() {
            let copy = |place: &mut [f32]| job.copy(self.source, &self.frame, first, images, place);
            scratch.frame(image * group, copy)
        } else {
            &self.source.data[first * image..][..images * image]
        };
        let panels = weights.panels();
        let panels = panels * part / parts..panels * (part + 1) / parts;
        let out_image = job.out_size[0] * job.out_size[1] * job.out_channels;
        // SAFETY: every row and tap lies in the frame, by the construction of `frame`; in what
        // is written, images differ between tasks, or else the panels do.
        unsafe {
            let mut product = Rows {
                left: left.as_ptr(),
                rows: &self.rows[..count],
                taps: &self.frame.taps,
                depth: self.frame.depth,
                out: out.at(first * out_image),
                out_rows: &self.out_rows[..count],
            };
            if self.few {
                let patches = patches(&product, &mut scratch.patches);
                product = Rows {
                    left: patches.as_ptr(),
                    rows: &self.patch_rows[..count],
                    taps: &[0],
                    depth: job.terms(),
                    ..product
                };
                multiply(&product, weights, panels, bias, finish);
            } else {
                multiply(&product, weights, panels, bias, finish);
            }
        }
    }
}

/// Writes every point of the plans' grids, all at once.
///
/// # Safety
/// `out` is as each of the plans says, whose points are different ones.
pub(super) unsafe fn run(plans: &[Plan<'_>], out: Out) {
    let tasks = plans.iter().map(Plan::tasks).sum();
    let work: usize = plans.iter().map(Plan::work).sum();
    // Each plan has its own frames, whose zeros are in other places.
    let scratch = || -> Vec<Scratch> { plans.iter().map(|_| Scratch::default()).collect() };
    let task = |scratch: &mut Vec<Scratch>, mut index: usize| {
        for (plan, scratch) in plans.iter().zip(scratch) {
            if index < plan.tasks() {
                // SAFETY: as this function.
                return unsafe { plan.task(scratch, index, out) };
            }
            index -= plan.tasks();
        }
    };
    if work < SMALL {
        let mut scratch = scratch();
        (0..tasks).for_each(|index| task(&mut scratch, index));
    } else {
        on_threads(tasks, scratch, task);
    }
}
