//! Where a pass of a kernel over images reads and writes.

use super::shape::Conv;
use crate::raw::View;
use crate::raw::sizes::floats;

/// Below this many floats that lie one after the other the patches are copied: a tap would be
/// too short a sum.
const FEW: usize = 8;

/// One pass of a kernel over images: for each point of a grid, taps around it are read.
pub(super) struct Job {
    pub batch: usize,
    pub channels: usize,
    /// Height and width of what is read.
    pub size: [usize; 2],
    /// Height and width of the grid.
    pub grid: [usize; 2],
    /// Pixels from one point of the grid to the next, in what is read.
    pub step: [usize; 2],
    /// Where each tap reads, relative to the point.
    pub taps: Vec<[isize; 2]>,
    /// Height and width of what is written.
    pub out_size: [usize; 2],
    /// Where the grid begins there.
    pub out_first: [usize; 2],
    /// Pixels from one point of the grid to the next there.
    pub out_step: [usize; 2],
    pub out_channels: usize,
}

/// How the images of a job lie when they are read.
pub(super) struct Frame {
    /// Zeros above, and left.
    pub before: [usize; 2],
    /// Height and width with the zeros.
    pub size: [usize; 2],
    /// Whether there is anything around the images at all.
    pub padded: bool,
    /// Offset of each tap; of taps that lie one after the other, of the first.
    pub taps: Vec<u32>,
    /// Floats at each of them.
    pub depth: usize,
}

impl Frame {
    /// Whether patches are to be copied.
    pub(super) fn few(&self) -> bool {
        self.depth < FEW && self.taps.len() > 1
    }
}

impl Job {
    pub(super) fn points(&self) -> usize {
        self.grid[0] * self.grid[1]
    }

    pub(super) fn terms(&self) -> usize {
        self.taps.len() * self.channels
    }

    pub(super) fn frame(&self) -> Frame {
        let mut before = [0; 2];
        let mut size = self.size;
        for i in 0..2 {
            let reads = self.taps.iter().map(|tap| tap[i]);
            let least = reads.clone().min().unwrap_or(0);
            let most = reads.max().unwrap_or(0)
                + (self.grid[i].max(1) - 1) as isize * self.step[i] as isize;
            before[i] = usize::try_from(-least).unwrap_or(0);
            let after = usize::try_from(most - (self.size[i] as isize - 1)).unwrap_or(0);
            size[i] = before[i] + self.size[i] + after;
        }
        // Before anything is made for it.
        let image = floats(&[size[0], size[1], self.channels]);
        assert!(image.is_some_and(|image| u32::try_from(image).is_ok()), "{TOO_LARGE}");
        let offset = |tap: &[isize; 2]| {
            let [y, x] = [0, 1].map(|i| (tap[i] + before[i] as isize) as usize);
            offset_of((y * size[1] + x) * self.channels)
        };
        let taps: Vec<u32> = self.taps.iter().map(offset).collect();
        let follows = |pair: &[u32]| pair[1] == pair[0].wrapping_add(self.channels as u32);
        // The taps of a line of the kernel are read as one.
        let run = 1 + taps.windows(2).take_while(|pair| follows(pair)).count();
        let even =
            taps.chunks(run).all(|run_of| run_of.len() == run && run_of.windows(2).all(follows));
        let run = if even { run } else { 1 };
        let (taps, depth) = (taps.into_iter().step_by(run).collect(), run * self.channels);
        Frame { before, size, padded: size != self.size, taps, depth }
    }

    /// Offsets of the points of `images` images, in the frame.
    pub(super) fn rows(&self, frame: &Frame, images: usize) -> Vec<u32> {
        let [height, width] = frame.size;
        points(images, self.grid)
            .map(|[n, y, x]| {
                let pixel = (n * height + y * self.step[0]) * width + x * self.step[1];
                offset_of(pixel * self.channels)
            })
            .collect()
    }

    /// Offsets of the points of `images` images, in what is written.
    pub(super) fn out_rows(&self, images: usize) -> Vec<u32> {
        let [height, width] = self.out_size;
        let [first, step] = [self.out_first, self.out_step];
        points(images, self.grid)
            .map(|[n, y, x]| {
                let pixel = (n * height + first[0] + y * step[0]) * width + first[1] + x * step[1];
                offset_of(pixel * self.out_channels)
            })
            .collect()
    }

    /// Copies images into their frames.
    pub(super) fn copy(
        &self,
        source: &View<'_>,
        frame: &Frame,
        first: usize,
        images: usize,
        place: &mut [f32],
    ) {
        let row = frame.size[1] * self.channels;
        let image = frame.size[0] * row;
        let start = frame.before[0] * row + frame.before[1] * self.channels;
        for (index, place) in (first..first + images).zip(place.chunks_exact_mut(image)) {
            source.copy_image(index, row, &mut place[start..]);
        }
    }
}

impl Conv {
    pub(super) fn forward_job(&self) -> Job {
        let tap = |y: usize, x: usize| {
            [(y, 0), (x, 1)]
                .map(|(tap, i)| (tap * self.dilation[i]) as isize - self.padding[i] as isize)
        };
        let taps = (0..self.kernel[0]).flat_map(|y| (0..self.kernel[1]).map(move |x| tap(y, x)));
        Job {
            batch: self.batch,
            channels: self.inputs,
            size: self.input,
            grid: self.output,
            step: self.stride,
            taps: taps.collect(),
            out_size: self.output,
            out_first: [0, 0],
            out_step: [1, 1],
            out_channels: self.outputs,
        }
    }
}

fn points(images: usize, [height, width]: [usize; 2]) -> impl Iterator<Item = [usize; 3]> {
    (0..images).flat_map(move |n| (0..height).flat_map(move |y| (0..width).map(move |x| [n, y, x])))
}

/// What cannot be offset by 32 bits.
const TOO_LARGE: &str = "images with what is around them have fewer than 2^32 floats";

/// An offset within the images of one group.
pub(super) fn offset_of(floats: usize) -> u32 {
    u32::try_from(floats).expect(TOO_LARGE)
}
