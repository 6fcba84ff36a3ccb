//! Masks as run lengths, COCO's way.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::bounding_box::BoundingBox;

/// The most pixels a mask that is read may have.
const MOST_PIXELS: u64 = 1 << 28;

/// A mask as COCO's run lengths: column by column, runs of pixels outside and inside in turn,
/// beginning with outside (0 where the first pixel is inside).
///
/// JSON is `{"size": [height, width], "counts": [...]}`; COCO's compressed string is read too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct Rle {
    /// Height and width.
    pub size: [u32; 2],
    /// The runs' lengths; their sum is height times width.
    pub counts: Vec<u32>,
}

/// What stands in a file.
#[derive(Deserialize)]
struct Written {
    size: [u32; 2],
    counts: Counts,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Counts {
    Runs(Vec<u32>),
    Compressed(String),
}

impl TryFrom<Written> for Rle {
    type Error = &'static str;

    fn try_from(Written { size, counts }: Written) -> Result<Self, Self::Error> {
        let counts = match counts {
            Counts::Runs(counts) => counts,
            Counts::Compressed(text) => {
                decompress(&text).ok_or("counts: no compressed run lengths")?
            }
        };
        let pixels = u64::from(size[0]) * u64::from(size[1]);
        if pixels > MOST_PIXELS {
            return Err("size: more than 2^28 pixels");
        }
        if counts.iter().map(|&count| u64::from(count)).sum::<u64>() != pixels {
            return Err("counts: expected run lengths whose sum is height times width");
        }
        Ok(Self { size, counts })
    }
}

impl Rle {
    /// From `height * width` pixels, row by row.
    ///
    /// # Panics
    /// With another number of pixels.
    pub fn from_pixels(height: usize, width: usize, pixels: &[bool]) -> Self {
        assert_eq!(pixels.len(), height * width, "height times width pixels");
        Self::of(height, width, |row, column| pixels[row * width + column])
    }

    /// The mask of the pixels (row, column) that `inside` names.
    pub(super) fn of(
        height: usize,
        width: usize,
        mut inside: impl FnMut(usize, usize) -> bool,
    ) -> Self {
        let (mut counts, mut last, mut run) = (Vec::new(), false, 0);
        for column in 0..width {
            for row in 0..height {
                if inside(row, column) != last {
                    counts.push(run);
                    (last, run) = (!last, 0);
                }
                run += 1;
            }
        }
        counts.push(run);
        Self { size: [height as u32, width as u32], counts }
    }

    /// `height * width` pixels, row by row.
    pub fn to_pixels(&self) -> Vec<bool> {
        let [height, width] = self.size.map(|side| side as usize);
        let mut pixels = vec![false; height * width];
        for place in self.runs().flatten().map(|place| place as usize) {
            pixels[place % height * width + place / height] = true;
        }
        pixels
    }

    /// How many pixels are inside.
    pub fn area(&self) -> u64 {
        self.runs().map(|run| run.end - run.start).sum()
    }

    /// The smallest box around the pixels inside; `None` where there are none.
    pub fn bounding_box(&self) -> Option<BoundingBox> {
        let height = u64::from(self.size[0]);
        let bounds = self.runs().map(|run| {
            let (first, last) = (run.start / height, (run.end - 1) / height);
            // A run that goes on in the next column touches the lower and the upper edge.
            let rows = match first == last {
                true => [run.start % height, (run.end - 1) % height + 1],
                false => [0, height],
            };
            [first, rows[0], last + 1, rows[1]]
        });
        let around = |a: [u64; 4], b: [u64; 4]| {
            [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])]
        };
        Some(bounds.reduce(around)?.map(|side| side as f32).into())
    }

    /// How many pixels are inside both; 0 where their sizes differ.
    pub fn shared(&self, other: &Self) -> u64 {
        if self.size != other.size {
            return 0;
        }
        let (mut ours, mut theirs) = (self.runs().peekable(), other.runs().peekable());
        let mut shared = 0;
        while let (Some(a), Some(b)) = (ours.peek(), theirs.peek()) {
            shared += a.end.min(b.end).saturating_sub(a.start.max(b.start));
            match a.end < b.end {
                true => ours.next(),
                false => theirs.next(),
            };
        }
        shared
    }

    /// Intersection over union, 0..=1; 0 where either is empty or their sizes differ.
    pub fn iou(&self, other: &Self) -> f64 {
        match self.shared(other) {
            0 => 0.0,
            shared => shared as f64 / (self.area() + other.area() - shared) as f64,
        }
    }

    /// The run lengths as COCO's compressed string.
    pub fn compressed(&self) -> String {
        let mut text = String::new();
        for (place, &count) in self.counts.iter().enumerate() {
            // From the fourth on, the difference to the last one of its kind.
            let before = if place > 2 { i64::from(self.counts[place - 2]) } else { 0 };
            let mut rest = i64::from(count) - before;
            loop {
                let bits = (rest & 0x1f) as u8;
                rest >>= 5;
                let more = rest != if bits & 0x10 == 0 { 0 } else { -1 };
                text.push(char::from(48 + bits + if more { 0x20 } else { 0 }));
                if !more {
                    break;
                }
            }
        }
        text
    }

    /// The runs inside, none empty, as places counted column by column.
    fn runs(&self) -> impl Iterator<Item = Range<u64>> {
        let most = u64::from(self.size[0]) * u64::from(self.size[1]);
        let mut end = 0;
        let run = move |(place, &count): (usize, &u32)| {
            let start = end;
            end = most.min(start + u64::from(count));
            (place % 2 == 1 && start < end).then_some(start..end)
        };
        self.counts.iter().enumerate().filter_map(run)
    }
}

/// The run lengths of [`Rle::compressed`].
fn decompress(text: &str) -> Option<Vec<u32>> {
    let mut counts: Vec<u32> = Vec::new();
    let mut bytes = text.bytes();
    while bytes.len() > 0 {
        let (mut value, mut shift) = (0i64, 0);
        loop {
            let byte = bytes.next()?.checked_sub(48).filter(|byte| *byte < 64)?;
            value |= i64::from(byte & 0x1f) << shift;
            shift += 5;
            if byte & 0x20 == 0 {
                if byte & 0x10 != 0 {
                    value |= -1 << shift;
                }
                break;
            }
            // A difference of two run lengths has 33 bits.
            if shift > 35 {
                return None;
            }
        }
        if counts.len() > 2 {
            value += i64::from(counts[counts.len() - 2]);
        }
        counts.push(u32::try_from(value).ok()?);
    }
    Some(counts)
}
