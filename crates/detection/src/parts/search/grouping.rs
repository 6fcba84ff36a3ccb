//! Regions that are joined, the two most alike first.

use super::graph::Segments;
use super::planes::Planes;
use std::cmp::Ordering;
use std::collections::{BTreeSet, BinaryHeap};

/// Bins of a channel's histogram of colours.
const COLOURS: usize = 25;
/// Directions of derivatives, and bins of each.
const DIRECTIONS: usize = 8;
const STRENGTHS: usize = 10;
/// The deviation of the Gaussian whose derivatives they are.
const SIGMA: f32 = 1.0;
/// Numbers of a region: colours of three channels, then textures of three channels.
const COLOUR_NUMBERS: usize = 3 * COLOURS;
const NUMBERS: usize = COLOUR_NUMBERS + 3 * DIRECTIONS * STRENGTHS;

/// What two regions are compared by; texture, size and fill always count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// All four.
    WithColour,
    /// Those three.
    WithoutColour,
}

/// Of each pixel the bins that it counts in.
pub struct Described {
    width: usize,
    bins: Vec<[u8; 3 + 3 * DIRECTIONS]>,
}

impl Described {
    pub fn new(planes: &Planes) -> Self {
        let Planes { width, height, values } = planes;
        let direction = |place: usize| std::f32::consts::TAU * place as f32 / DIRECTIONS as f32;
        let directions: Vec<(f32, f32)> = (0..DIRECTIONS).map(|i| direction(i).sin_cos()).collect();
        let smooth = planes.smoothed(SIGMA).values;
        // Of each channel the derivatives in all directions, as far as they rise.
        let rises = |place: usize| {
            let (x, y) = (place % width, place / width);
            let at = |x: usize, y: usize| smooth[y * width + x];
            let (right, left) = (at((x + 1).min(width - 1), y), at(x.saturating_sub(1), y));
            let (below, above) = (at(x, (y + 1).min(height - 1)), at(x, y.saturating_sub(1)));
            let mut own = [0.0; 3 * DIRECTIONS];
            for channel in 0..3 {
                let across = right[channel] - left[channel];
                let down = below[channel] - above[channel];
                for (i, (sin, cos)) in directions.iter().enumerate() {
                    own[channel * DIRECTIONS + i] = (cos * across + sin * down).max(0.0);
                }
            }
            own
        };
        let all: Vec<[f32; 3 * DIRECTIONS]> = (0..values.len()).map(rises).collect();
        // The last bin is the image's own steepest rise.
        let mut steepest = [f32::MIN_POSITIVE; 3 * DIRECTIONS];
        for own in &all {
            for (most, rise) in steepest.iter_mut().zip(own) {
                *most = most.max(*rise);
            }
        }
        let bins = values.iter().zip(&all).map(|(colours, rises)| {
            let mut own = [0; 3 + 3 * DIRECTIONS];
            for (bin, colour) in own.iter_mut().zip(colours) {
                *bin = ((colour / 256.0 * COLOURS as f32) as u8).min(COLOURS as u8 - 1);
            }
            for ((bin, rise), most) in own[3..].iter_mut().zip(rises).zip(&steepest) {
                *bin = ((rise / most * STRENGTHS as f32) as u8).min(STRENGTHS as u8 - 1);
            }
            own
        });
        Self { width: *width, bins: bins.collect() }
    }

    /// The regions of these segments.
    pub fn regions(&self, segments: &Segments) -> Regions {
        let mut counts = vec![[0u32; NUMBERS]; segments.count];
        let mut all = vec![Region::default(); segments.count];
        let mut neighbours = vec![BTreeSet::new(); segments.count];
        for (place, (bins, &label)) in self.bins.iter().zip(&segments.labels).enumerate() {
            let (x, y) = ((place % self.width) as u32, (place / self.width) as u32);
            let label = label as usize;
            all[label].add(x, y);
            let own = &mut counts[label];
            for (channel, bin) in bins.iter().enumerate() {
                let first = match channel {
                    0..3 => channel * COLOURS,
                    _ => COLOUR_NUMBERS + (channel - 3) * STRENGTHS,
                };
                own[first + usize::from(*bin)] += 1;
            }
            let before = [(x > 0).then(|| place - 1), place.checked_sub(self.width)];
            for other in before.into_iter().flatten() {
                let other = segments.labels[other] as usize;
                if other != label {
                    neighbours[label].insert(other);
                    neighbours[other].insert(label);
                }
            }
        }
        for (own, counts) in all.iter_mut().zip(&counts) {
            // Each of the two sums to 1.
            let colours = 1.0 / (3 * own.size) as f32;
            let textures = colours / DIRECTIONS as f32;
            own.numbers = counts
                .iter()
                .enumerate()
                .map(|(i, count)| {
                    *count as f32 * if i < COLOUR_NUMBERS { colours } else { textures }
                })
                .collect();
        }
        Regions { all, neighbours, area: self.bins.len() as f32 }
    }
}

#[derive(Clone, Debug, Default)]
struct Region {
    size: usize,
    /// x1, y1, x2, y2; the last two are beyond.
    corners: [u32; 4],
    numbers: Vec<f32>,
}

impl Region {
    fn add(&mut self, x: u32, y: u32) {
        self.corners = union(self, [x, y, x + 1, y + 1]);
        self.size += 1;
    }
}

fn union(own: &Region, other: [u32; 4]) -> [u32; 4] {
    let [a, b, c, d] = own.corners;
    match own.size {
        0 => other,
        _ => [a.min(other[0]), b.min(other[1]), c.max(other[2]), d.max(other[3])],
    }
}

/// The regions of an image, and who borders on whom.
#[derive(Clone, Debug)]
pub struct Regions {
    all: Vec<Region>,
    neighbours: Vec<BTreeSet<usize>>,
    area: f32,
}

/// Two neighbours, ordered by their likeness.
struct Pair {
    likeness: f32,
    ends: [usize; 2],
}

impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Pair {}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Pair {
    fn cmp(&self, other: &Self) -> Ordering {
        self.likeness.total_cmp(&other.likeness).then_with(|| other.ends.cmp(&self.ends))
    }
}

impl Regions {
    /// The corners of the regions and of all their unions, the last union last.
    pub fn boxes(mut self, likeness: Likeness) -> Vec<[u32; 4]> {
        let mut heap = BinaryHeap::new();
        for (a, others) in self.neighbours.iter().enumerate() {
            heap.extend(others.range(a + 1..).map(|&b| self.pair(likeness, [a, b])));
        }
        let mut joined = vec![false; self.all.len()];
        while let Some(Pair { ends: [a, b], .. }) = heap.pop() {
            if joined[a] || joined[b] {
                continue;
            }
            let own = self.all.len();
            self.all.push(self.union(a, b));
            joined[a] = true;
            joined[b] = true;
            joined.push(false);
            let mut near = std::mem::take(&mut self.neighbours[a]);
            near.append(&mut std::mem::take(&mut self.neighbours[b]));
            near.retain(|&other| !joined[other]);
            for &other in &near {
                self.neighbours[other].insert(own);
                heap.push(self.pair(likeness, [other, own]));
            }
            self.neighbours.push(near);
        }
        self.all.iter().map(|region| region.corners).collect()
    }

    fn union(&self, a: usize, b: usize) -> Region {
        let (a, b) = (&self.all[a], &self.all[b]);
        let size = a.size + b.size;
        let share = a.size as f32 / size as f32;
        let mean = |(a, b): (&f32, &f32)| share * a + (1.0 - share) * b;
        let numbers = a.numbers.iter().zip(&b.numbers).map(mean).collect();
        Region { size, corners: union(a, b.corners), numbers }
    }

    /// Section 3.2, equations 1 to 5.
    fn pair(&self, likeness: Likeness, ends: [usize; 2]) -> Pair {
        let [a, b] = ends.map(|end| &self.all[end]);
        let shared = |from: usize, to: usize| -> f32 {
            a.numbers[from..to].iter().zip(&b.numbers[from..to]).map(|(a, b)| a.min(*b)).sum()
        };
        let size = (a.size + b.size) as f32;
        let [x1, y1, x2, y2] = union(a, b.corners).map(|side| side as f32);
        let fill = 1.0 - ((x2 - x1) * (y2 - y1) - size) / self.area;
        let mut sum = 1.0 - size / self.area + fill;
        sum += shared(COLOUR_NUMBERS, NUMBERS);
        if likeness == Likeness::WithColour {
            sum += shared(0, COLOUR_NUMBERS);
        }
        Pair { likeness: sum, ends }
    }
}
