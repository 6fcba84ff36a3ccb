//! Segments by a graph over the pixels.
//!
//! P. Felzenszwalb, D. Huttenlocher, "Efficient Graph-Based Image Segmentation", IJCV 59 (2004).

use super::planes::Planes;

/// Neighbours of a pixel that come after it: to the right, and three below.
const AFTER: [(isize, usize); 4] = [(1, 0), (-1, 1), (0, 1), (1, 1)];

/// The pixels of an image, neighbours joined, the most alike first.
#[derive(Clone, Debug)]
pub struct Graph {
    width: usize,
    height: usize,
    /// How unlike the ends of an edge are, and the edge.
    edges: Vec<(f32, [u32; 2])>,
}

/// Which segment each pixel belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments {
    /// Pixels of a row.
    pub width: usize,
    /// Of each pixel the number of its segment, row by row.
    pub labels: Vec<u32>,
    /// How many segments there are.
    pub count: usize,
}

impl Graph {
    /// Of an image, its eight neighbours and the distance of colours.
    pub fn new(planes: &Planes) -> Self {
        let Planes { width, height, values } = planes;
        let mut edges = Vec::with_capacity(4 * values.len());
        for (place, own) in values.iter().enumerate() {
            let (x, y) = ((place % width) as isize, place / width);
            for (right, down) in AFTER {
                let (x, y) = (x + right, y + down);
                if x < 0 || x >= *width as isize || y >= *height {
                    continue;
                }
                let other = y * width + x as usize;
                let square = |(a, b): (&f32, &f32)| (a - b) * (a - b);
                let gap: f32 = own.iter().zip(&values[other]).map(square).sum();
                edges.push((gap.sqrt(), [place as u32, other as u32]));
            }
        }
        // Numbers of 0 and above are ordered as their bits; equal ones stay in the order of pixels.
        edges.sort_by_key(|(gap, _)| gap.to_bits());
        Self { width: *width, height: *height, edges }
    }

    /// Segments: two become one where what parts them is no more than what parts the pixels of
    /// either, `scale` over its size added (equations 3 and 4); those of fewer pixels than `least` are joined with a
    /// neighbour.
    pub fn segments(&self, scale: f32, least: usize) -> Segments {
        let mut forest = Forest::new(self.width * self.height);
        let mut limits = vec![scale; self.width * self.height];
        for &(gap, ends) in &self.edges {
            let [a, b] = ends.map(|end| forest.root(end));
            if a != b && gap <= limits[a as usize] && gap <= limits[b as usize] {
                let root = forest.join(a, b);
                limits[root as usize] = gap + scale / forest.sizes[root as usize] as f32;
            }
        }
        for &(_, ends) in &self.edges {
            let [a, b] = ends.map(|end| forest.root(end));
            let small = |root: u32| (forest.sizes[root as usize] as usize) < least;
            if a != b && (small(a) || small(b)) {
                forest.join(a, b);
            }
        }
        let (mut names, mut count) = (vec![u32::MAX; self.width * self.height], 0);
        let mut label = |place: u32| {
            let name = &mut names[forest.root(place) as usize];
            if *name == u32::MAX {
                *name = count;
                count += 1;
            }
            *name
        };
        let labels = (0..(self.width * self.height) as u32).map(&mut label).collect();
        Segments { width: self.width, labels, count: count as usize }
    }
}

/// Disjoint sets.
struct Forest {
    parents: Vec<u32>,
    sizes: Vec<u32>,
}

impl Forest {
    fn new(count: usize) -> Self {
        Self { parents: (0..count as u32).collect(), sizes: vec![1; count] }
    }

    fn root(&mut self, mut place: u32) -> u32 {
        while self.parents[place as usize] != place {
            let above = self.parents[self.parents[place as usize] as usize];
            self.parents[place as usize] = above;
            place = above;
        }
        place
    }

    /// Makes one of two roots; which of them remains.
    fn join(&mut self, a: u32, b: u32) -> u32 {
        let (large, small) =
            if self.sizes[a as usize] >= self.sizes[b as usize] { (a, b) } else { (b, a) };
        self.parents[small as usize] = large;
        self.sizes[large as usize] += self.sizes[small as usize];
        large
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage};

    fn halves(noise: u8) -> Planes {
        let pixel = |x: u32, y: u32| {
            let value = if x < 10 { 40 } else { 200 };
            Rgb([value + ((x * 7 + y * 13) % 5) as u8 * noise; 3])
        };
        Planes::rgb(&RgbImage::from_fn(20, 12, pixel))
    }

    #[test]
    fn an_edge_parts_and_noise_does_not() {
        for (noise, scale) in [(0, 150.0), (3, 1000.0)] {
            let own = Graph::new(&halves(noise)).segments(scale, 5);
            assert_eq!((own.count, own.width), (2, 20));
            for (place, label) in own.labels.iter().enumerate() {
                assert_eq!(*label, u32::from(place % 20 >= 10));
            }
        }
    }

    #[test]
    fn small_segments_join_their_neighbour() {
        let mut planes = halves(0);
        planes.values[5 * 20 + 4] = [255.0; 3];
        assert_eq!(Graph::new(&planes).segments(1.0, 1).count, 3);
        assert_eq!(Graph::new(&planes).segments(1.0, 2).count, 2);
        // A larger scale wants more of a difference.
        assert_eq!(Graph::new(&planes).segments(1e6, 1).count, 1);
        let none = Planes { width: 0, height: 0, values: vec![] };
        assert_eq!(Graph::new(&none).segments(1.0, 1).count, 0);
    }
}
