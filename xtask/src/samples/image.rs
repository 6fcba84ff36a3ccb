//! Pixels, and what is drawn into them.

use anyhow::Result;

/// A square image, red, green and blue of each pixel together.
pub struct Image {
    pub side: usize,
    pub pixels: Vec<[u8; 3]>,
}

impl Image {
    /// An image of one colour for each pixel, said by column and row.
    pub fn new(side: usize, mut colour: impl FnMut(usize, usize) -> [u8; 3]) -> Self {
        let at = |i| colour(i % side, i / side);
        Self { side, pixels: (0..side * side).map(at).collect() }
    }

    /// Paints what is inside an edge: `distance`, in pixels, is negative there. Returns the box
    /// `[left, top, right, bottom]` around the pixels whose centre is inside.
    pub fn paint(&mut self, colour: [u8; 3], distance: impl Fn(f32, f32) -> f32) -> [usize; 4] {
        let mut around = [self.side, self.side, 0, 0];
        for (i, pixel) in self.pixels.iter_mut().enumerate() {
            let (x, y) = (i % self.side, i / self.side);
            let edge = distance(x as f32 + 0.5, y as f32 + 0.5);
            let cover = (0.5 - edge).clamp(0.0, 1.0);
            for (own, new) in pixel.iter_mut().zip(colour) {
                *own = (f32::from(*own) * (1.0 - cover) + f32::from(new) * cover).round() as u8;
            }
            if edge <= 0.0 {
                let [left, top, right, bottom] = around;
                around = [left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)];
            }
        }
        around
    }

    /// As a PNG file, in grey or in colour.
    pub fn png(&self, grey: bool) -> Result<Vec<u8>> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.side as u32, self.side as u32);
        encoder.set_color(if grey { png::ColorType::Grayscale } else { png::ColorType::Rgb });
        let channels = if grey { 1 } else { 3 };
        let bytes: Vec<u8> = self.pixels.iter().flat_map(|p| p[..channels].to_vec()).collect();
        encoder.write_header()?.write_image_data(&bytes)?;
        Ok(file)
    }
}
