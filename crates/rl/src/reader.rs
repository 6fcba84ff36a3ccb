//! From what an environment shows to the numbers that a network takes.

use crate::env::{Observations, Spec};
use crate::tensors::matrix;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

/// Observations as the networks take them: floats, divided by the spec's scale.
pub fn floats(observations: Observations<'_>, scale: f32) -> Vec<f32> {
    match observations {
        Observations::Floats(cells) => cells.to_vec(),
        Observations::Bytes(cells) => cells.iter().map(|&cell| f32::from(cell) / scale).collect(),
    }
}

/// Observations on a device as an environment shows them, `[rows, cells]`: bytes go there as bytes,
/// which are a quarter of what floats are.
#[derive(Clone)]
pub enum Shown {
    /// They are not scaled any more.
    Floats(Tensor<2>),
    /// They are still to be divided by the spec's scale.
    Bytes(Tensor<2, Int>),
}

impl Shown {
    /// Brings observations to a device.
    pub fn new(observations: Observations<'_>, rows: usize, device: &Device) -> Self {
        match observations {
            Observations::Floats(cells) => Self::Floats(matrix(cells.to_vec(), rows, device)),
            Observations::Bytes(cells) => {
                let width = cells.len().checked_div(rows).unwrap_or(0);
                let cells = TensorData::new(cells.to_vec(), [rows, width]);
                Self::Bytes(Tensor::from_data(cells, (device, DType::U8)))
            }
        }
    }

    /// Some of the rows.
    pub fn rows(&self, places: Tensor<1, Int>) -> Self {
        match self {
            Self::Floats(cells) => Self::Floats(cells.clone().select(0, places)),
            Self::Bytes(cells) => Self::Bytes(cells.clone().select(0, places)),
        }
    }

    /// What the networks take: what [`floats`] would give.
    pub fn scaled(self, scale: f32) -> Tensor<2> {
        match self {
            Self::Floats(cells) => cells,
            Self::Bytes(cells) => cells.float() / scale,
        }
    }
}

/// Cells that are looked at together.
const SOME: usize = 16;

/// Turns observations into the numbers that a body takes: see
/// [`BodyConfig`](crate::networks::BodyConfig)'s `pool` and `turn`.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    scale: f32,
    pool: usize,
    /// `[planes, height, width]`, where there are any.
    planes: [usize; 3],
    whose: Option<usize>,
    /// The plane of bases, where the map is to be turned by one's own.
    home: Option<usize>,
}

impl Reader {
    /// A reader of this environment's observations.
    pub fn new(spec: &Spec, pool: usize, turn: bool) -> Self {
        let planes = spec.observation.first_chunk::<3>().copied().unwrap_or_default();
        let home = spec.home.filter(|_| turn);
        Self { scale: spec.scale, pool: pool.max(1), planes, whose: spec.whose, home }
    }

    /// Numbers for the body, row by row.
    pub fn read(&self, observations: Observations<'_>) -> Vec<f32> {
        match observations {
            _ if !self.changes() => floats(observations, self.scale),
            Observations::Floats(cells) => self.sums(cells, 1.0),
            Observations::Bytes(cells) => self.sums(cells, self.scale),
        }
    }

    /// The same on a device, `[rows, numbers]`.
    pub fn tensor(
        &self,
        observations: Observations<'_>,
        rows: usize,
        device: &Device,
    ) -> Tensor<2> {
        match self.changes() {
            true => matrix(self.read(observations), rows, device),
            false => Shown::new(observations, rows, device).scaled(self.scale),
        }
    }

    /// The same of numbers that are scaled already.
    pub fn rescaled(&self, cells: Vec<f32>) -> Vec<f32> {
        if self.changes() { self.sums(&cells, 1.0) } else { cells }
    }

    /// Whether more is done to what is seen than to scale it.
    pub fn changes(&self) -> bool {
        self.pool > 1 || self.home.is_some()
    }

    fn sums<T: Copy + Into<f32>>(&self, cells: &[T], scale: f32) -> Vec<f32> {
        let [planes, height, width] = self.planes;
        let (side, across, most) = (self.pool, width.div_ceil(self.pool), self.pool as f32);
        let (plane, squares) = (height * width, height.div_ceil(side) * across);
        let apart = if side > 1 && self.whose.is_some() { 2 } else { 1 };
        let rows = cells.len() / (planes * plane).max(1);
        let mut sums = vec![0.0; rows * apart * planes * squares];
        // The square of each cell, for maps as they are and mirrored either way or both.
        let square = |turned: usize| {
            let place = move |at: usize| {
                let (y, x) = (at / width, at % width);
                let y = if turned & 1 == 1 { height - 1 - y } else { y };
                let x = if turned & 2 == 2 { width - 1 - x } else { x };
                y / side * across + x / side
            };
            (0..plane).map(place).collect::<Vec<usize>>()
        };
        let ways: Vec<_> = (0..if self.home.is_some() { 4 } else { 1 }).map(square).collect();
        let seen = cells.chunks_exact((planes * plane).max(1));
        for (seen, sums) in seen.zip(sums.chunks_exact_mut((apart * planes * squares).max(1))) {
            let whose = self.whose.map(|whose| &seen[whose * plane..][..plane]);
            let owner = |at: usize| whose.map_or(0.0, |whose| whose[at].into());
            let others = |at: usize| apart > 1 && 0.0 < owner(at) && owner(at) <= scale / 2.0;
            let turned = self.home.map_or(0, |home| {
                let bases = &seen[home * plane..][..plane];
                let own = |&at: &usize| bases[at].into() > 0.0 && owner(at) > scale / 2.0;
                let lower = |at: usize| usize::from(2 * (at / width) >= height);
                let right = |at: usize| usize::from(2 * (at % width) >= width);
                (0..plane).find(own).map_or(0, |at| lower(at) + 2 * right(at))
            });
            let way = &ways[turned];
            for (number, cells) in seen.chunks_exact(plane).enumerate() {
                for (first, some) in (0..).step_by(SOME).zip(cells.chunks(SOME)) {
                    // Most are empty, and many are looked at together.
                    if some.iter().fold(true, |none, &cell| none & (cell.into() == 0.0)) {
                        continue;
                    }
                    for (at, &cell) in (first..).zip(some) {
                        let number = number + if others(at) { planes } else { 0 };
                        sums[number * squares + way[at]] += cell.into();
                    }
                }
            }
            sums.iter_mut().for_each(|sum| *sum = (*sum / scale).min(most));
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Cells;
    use crate::tensors::{elements, indices};

    #[test]
    fn bytes_become_the_same_floats_on_the_device() {
        let device = tenfold_core::device::open("cpu").unwrap();
        let bytes = [0, 1, 2, 100, 254, 255];
        let seen = Shown::new(Observations::Bytes(&bytes), 3, &device);
        let wanted = floats(Observations::Bytes(&bytes), 255.0);
        assert_eq!(elements(seen.clone().scaled(255.0)), wanted);
        let some = seen.rows(indices(&[2, 0], &device)).scaled(255.0);
        assert_eq!(some.dims(), [2, 2]);
        assert_eq!(elements(some), [wanted[4], wanted[5], wanted[0], wanted[1]]);
        // Floats are scaled already.
        let seen = Shown::new(Observations::Floats(&wanted), 2, &device);
        assert_eq!(elements(seen.rows(indices(&[1], &device)).scaled(255.0)), wanted[3..]);
    }

    #[test]
    fn squares_are_summed_up_to_their_side() {
        let spec = Spec { scale: 2.0, ..Spec::new("x", Cells::Bytes, &[2, 3, 3], &["a"]) };
        // Two planes of 3 x 3, in squares of 2 x 2 and what is left of them at the edges.
        #[rustfmt::skip]
        let seen = [
            1, 0, 2,
            0, 1, 0,
            2, 2, 2,
            2, 2, 0,
            2, 2, 0,
            0, 0, 0,
        ];
        let got = Reader::new(&spec, 2, false).read(Observations::Bytes(&seen));
        assert_eq!(got, [1.0, 1.0, 2.0, 1.0, 2.0, 0.0, 0.0, 0.0]);
        let floats = seen.map(|cell| f32::from(cell) / 2.0).to_vec();
        assert_eq!(Reader::new(&spec, 2, false).rescaled(floats), got);
        let plain = Reader::new(&spec, 1, false);
        assert_eq!(plain.read(Observations::Bytes(&seen)).len(), 18);
        // By the second plane half of what the first has there is the other player's.
        let spec = Spec { whose: Some(1), ..spec };
        let got = Reader::new(&spec, 2, false).read(Observations::Bytes(&[
            2, 2, 0, //
            2, 2, 0, //
            0, 0, 1, //
            2, 1, 0, //
            2, 1, 0, //
            0, 0, 1,
        ]));
        let (own, others) = got.split_at(8);
        assert_eq!(own, [2.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0]);
        assert_eq!(others, [2.0, 0.0, 0.0, 0.5, 1.0, 0.0, 0.0, 0.5]);
    }

    #[test]
    fn maps_are_turned_by_the_own_base() {
        // Bases, and whose; the own base lies at the lower right, the other's at the upper left.
        let spec = Spec::new("x", Cells::Bytes, &[2, 3, 3], &["a"]);
        let spec = Spec { scale: 2.0, whose: Some(1), home: Some(0), ..spec };
        let turn = |pool| Reader::new(&spec, pool, true);
        #[rustfmt::skip]
        let seen = [
            2, 0, 0,
            0, 0, 0,
            0, 0, 2,
            1, 0, 0,
            0, 0, 0,
            0, 2, 2,
        ];
        let got = turn(1).read(Observations::Bytes(&seen));
        #[rustfmt::skip]
        let turned = [
            1.0, 0.0, 0.0,
            0.0, 0.0, 0.0,
            0.0, 0.0, 1.0,
            1.0, 1.0, 0.0,
            0.0, 0.0, 0.0,
            0.0, 0.0, 0.5,
        ];
        assert_eq!(got, turned);
        // Turned once more, it lies as it lay, for the own base is at home now.
        let bytes: Vec<u8> = turned.iter().map(|cell| (2.0 * cell) as u8).collect();
        assert_eq!(turn(1).read(Observations::Bytes(&bytes)), turned);
        // Squares are those of the turned map.
        let [a, b] = [&seen[..], &bytes].map(|seen| turn(2).read(Observations::Bytes(seen)));
        assert_eq!(a, b);
        // Without a base of one's own the map stays.
        let bare = [0; 18];
        assert_eq!(turn(1).read(Observations::Bytes(&bare)), [0.0; 18]);
    }
}
