//! What the parts of a frame are.

/// Where a coefficient of the file's order stands in its block.
#[rustfmt::skip]
pub const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// Numbers of a block, by rows.
pub type Block = [i16; 64];

/// One of the colours that a file holds.
pub struct Component {
    pub id: u8,
    /// Samples across and down in a unit of all components.
    pub sampling: [usize; 2],
    /// Which quantisation table, and that table once a scan has begun.
    pub table: usize,
    pub quantisation: Option<[u16; 64]>,
    /// Columns and rows of samples that belong to the image.
    pub size: [usize; 2],
    /// Blocks in a row, with those that fill the last unit.
    pub across: usize,
    /// The samples, `across * 8` in a row.
    pub samples: Vec<u8>,
    /// Of a progressive file: what its scans have told so far.
    pub blocks: Vec<Block>,
}

/// What a frame header says.
pub struct Frame {
    pub size: [usize; 2],
    pub progressive: bool,
    /// The most samples of any component in a unit.
    pub sampling: [usize; 2],
    /// Units across and down.
    pub units: [usize; 2],
    pub components: Vec<Component>,
}
