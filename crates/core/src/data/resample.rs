//! Bilinear resizing with antialiasing that gives Pillow's bytes, every one of them.
//!
//! Bytes that differ by one move a deep network's probabilities in the fourth digit, so that
//! weights of others would not quite answer as they did for their makers. Pillow goes along
//! the rows first and rounds to bytes between the two passes; faster libraries go along the
//! columns first. (Pillow 13 does so too where that is less work, which it is not where the
//! proportions stay.)

/// Bits after the point of a weight.
const PRECISION: u32 = 32 - 8 - 2;

/// For a place of the output: where its pixels of the input begin, and their weights.
struct Window {
    start: usize,
    weights: Vec<i64>,
}

/// The triangle filter's windows, as wide as the image shrinks.
fn windows(inputs: usize, outputs: usize) -> Vec<Window> {
    let scale = inputs as f64 / outputs as f64;
    let support = scale.max(1.0);
    let window = |place: usize| {
        let centre = (place as f64 + 0.5) * scale;
        // A conversion rounds towards zero, and what is negative becomes zero.
        let start = (centre - support + 0.5) as usize;
        let end = ((centre + support + 0.5) as usize).min(inputs);
        let weight = |x: usize| (1.0 - ((x as f64 - centre + 0.5) / support).abs()).max(0.0);
        let sum: f64 = (start..end).map(weight).sum();
        let fixed = |x| (0.5 + weight(x) / sum * f64::from(1 << PRECISION)) as i64;
        Window { start, weights: (start..end).map(fixed).collect() }
    };
    (0..outputs).map(window).collect()
}

/// One byte of the output from the bytes under its window.
fn byte(window: &Window, input: impl Iterator<Item = u8>) -> u8 {
    let products = window.weights.iter().zip(input).map(|(weight, x)| weight * i64::from(x));
    let sum = (1 << (PRECISION - 1)) + products.sum::<i64>();
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// Resizes rows of pixels of so many channels, `bytes` being `height * width * channels`.
pub(super) fn resize(
    bytes: &[u8],
    channels: usize,
    [height, width]: [usize; 2],
    [new_height, new_width]: [usize; 2],
) -> Vec<u8> {
    let mut wide = Vec::with_capacity(height * new_width * channels);
    let columns = windows(width, new_width);
    for row in bytes.chunks_exact(width * channels) {
        for window in &columns {
            let row = &row[window.start * channels..];
            wide.extend(
                (0..channels).map(|c| byte(window, row[c..].iter().step_by(channels).copied())),
            );
        }
    }
    let stride = new_width * channels;
    let mut out = Vec::with_capacity(new_height * stride);
    // Row after row under the window, so that memory is read in its own order.
    let mut sums = vec![0i64; stride];
    for window in windows(height, new_height) {
        sums.fill(1 << (PRECISION - 1));
        for (weight, row) in
            window.weights.iter().zip(wide[window.start * stride..].chunks_exact(stride))
        {
            for (sum, &x) in sums.iter_mut().zip(row) {
                *sum += weight * i64::from(x);
            }
        }
        out.extend(sums.iter().map(|sum| (sum >> PRECISION).clamp(0, 255) as u8));
    }
    out
}

/// Planes of `size` resized to `inner`, in the upper left corner of `outer`, beside zeros: linear
/// between the four nearest pixels, as torch's `interpolate` does it. All sizes are rows, then
/// columns.
pub(super) fn interpolate(
    planes: &[f32],
    size: [usize; 2],
    inner: [usize; 2],
    outer: [usize; 2],
) -> Vec<f32> {
    // The pixel before a place, the one after, and how far the place is from the first.
    let steps = |axis: usize| -> Vec<(usize, usize, f32)> {
        let scale = size[axis] as f32 / inner[axis] as f32;
        let step = |place: usize| {
            let at = (scale * (place as f32 + 0.5) - 0.5).max(0.0);
            let before = (at as usize).min(size[axis] - 1);
            (before, (before + 1).min(size[axis] - 1), (at - before as f32).clamp(0.0, 1.0))
        };
        (0..inner[axis]).map(step).collect()
    };
    let (rows, columns) = (steps(0), steps(1));
    let mut out = Vec::with_capacity(planes.len() / (size[0] * size[1]) * outer[0] * outer[1]);
    for plane in planes.chunks_exact(size[0] * size[1]) {
        let end = out.len() + outer[0] * outer[1];
        for &(above, below, down) in &rows {
            let row = |row: usize| &plane[row * size[1]..][..size[1]];
            let (above, below) = (row(above), row(below));
            out.extend(columns.iter().map(|&(left, right, on)| {
                let along = |row: &[f32]| row[left] * (1.0 - on) + row[right] * on;
                along(above) * (1.0 - down) + along(below) * down
            }));
            out.extend(std::iter::repeat_n(0.0, outer[1] - inner[1]));
        }
        out.resize(end, 0.0);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_pillows() {
        // Image.frombytes("L", (5, 4), bytes(i * 37 % 256 for i in range(20)))
        //     .resize((3, 3), Image.Resampling.BILINEAR).tobytes()
        let bytes: Vec<u8> = (0..20u32).map(|i| (i * 37 % 256) as u8).collect();
        assert_eq!(resize(&bytes, 1, [4, 5], [3, 3]), [71, 70, 111, 166, 124, 81, 80, 138, 153]);
    }
}
