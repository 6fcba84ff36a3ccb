//! Huffman codes and the coefficients that they stand for.

use super::frame::{Block, ZIGZAG};

/// Codes up to this length are looked up at once.
const SHORT: u32 = 9;

/// A table of Huffman codes.
pub(super) struct Table {
    /// Length and symbol by the next [`SHORT`] bits; of a longer code the length is 0.
    short: [(u8, u8); 1 << SHORT],
    /// By length: the first code that is not of it, filled up to 16 bits, and what leads from a
    /// code to its symbol's place.
    ends: [(u32, i32); 17],
    symbols: Vec<u8>,
}

impl Table {
    /// With so many codes of each length; `None` where they are more than there can be.
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut table =
            Self { short: [(0, 0); 1 << SHORT], ends: [(0, 0); 17], symbols: symbols.to_vec() };
        let (mut code, mut place) = (0usize, 0);
        for (length, &count) in (1u32..).zip(counts) {
            let first = place as i32 - code as i32;
            for _ in 0..count {
                if length <= SHORT {
                    let spread = SHORT - length;
                    let own = table.short.get_mut(code << spread..(code + 1) << spread)?;
                    own.fill((length as u8, symbols[place]));
                }
                (code, place) = (code + 1, place + 1);
            }
            if code > 1 << length {
                return None;
            }
            table.ends[length as usize] = ((code << (16 - length)) as u32, first);
            code <<= 1;
        }
        Some(table)
    }
}

/// The bits of a scan, up to the next marker.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bits, from the highest on.
    next: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, next: 0, count: 0 }
    }

    /// Where the file goes on.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Over the marker of a restart.
    pub(super) fn restart(&mut self) -> Option<()> {
        (self.next, self.count) = (0, 0);
        while self.bytes.get(self.at..self.at + 2)? == [0xFF, 0xFF] {
            self.at += 1;
        }
        match self.bytes[self.at..] {
            [0xFF, 0xD0..=0xD7, ..] => self.at += 2,
            _ => return None,
        }
        Some(())
    }

    #[inline]
    fn fill(&mut self) {
        // Four bytes at once, as nearly always none of them is special.
        if let Some(&four) = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<4>())
            && self.count <= 32
            && !four.contains(&0xFF)
        {
            self.next |= u64::from(u32::from_be_bytes(four)) << (32 - self.count);
            self.count += 32;
            self.at += 4;
            return;
        }
        while self.count <= 56 {
            let byte = match self.bytes.get(self.at..) {
                Some([0xFF, 0x00, ..]) => {
                    self.at += 2;
                    0xFF
                }
                Some([0xFF, ..] | []) | None => return,
                Some(&[byte, ..]) => {
                    self.at += 1;
                    byte
                }
            };
            self.next |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    #[inline]
    fn skip(&mut self, count: u32) -> Option<()> {
        self.count = self.count.checked_sub(count)?;
        self.next <<= count;
        Some(())
    }

    #[inline]
    fn take(&mut self, count: u32) -> Option<i32> {
        if count == 0 {
            return Some(0);
        }
        if self.count < count {
            self.fill();
        }
        let bits = (self.next >> (64 - count)) as i32;
        self.skip(count)?;
        Some(bits)
    }

    /// A number of so many bits; those that begin with 0 are negative.
    #[inline]
    fn signed(&mut self, count: u32) -> Option<i32> {
        let bits = self.take(count)?;
        Some(if count > 0 && bits < 1 << (count - 1) { bits - (1 << count) + 1 } else { bits })
    }

    #[inline(always)]
    fn symbol(&mut self, table: &Table) -> Option<u8> {
        if self.count < 16 {
            self.fill();
        }
        let (length, symbol) = table.short[(self.next >> (64 - SHORT)) as usize];
        if length > 0 {
            self.skip(length.into())?;
            return Some(symbol);
        }
        let next = (self.next >> 48) as u32;
        let long = SHORT + 1..=16;
        let length = long.into_iter().find(|&length| next < table.ends[length as usize].0)?;
        self.skip(length)?;
        let place = (next >> (16 - length)) as i32 + table.ends[length as usize].1;
        table.symbols.get(place as usize).copied()
    }

    /// The difference between a block's first coefficient and the one before.
    #[inline]
    fn difference(&mut self, table: &Table) -> Option<i32> {
        match self.symbol(table)? {
            length @ 0..=11 => self.signed(length.into()),
            _ => None,
        }
    }

    /// A block of a sequential file; `before` is the first coefficient of the one before.
    #[inline]
    pub(super) fn block(
        &mut self,
        [first, others]: [&Table; 2],
        before: &mut i32,
    ) -> Option<Block> {
        let mut block = [0; 64];
        *before = before.wrapping_add(self.difference(first)?);
        block[0] = *before as i16;
        let mut place = 1;
        while place < 64 {
            let symbol = self.symbol(others)?;
            let (zeros, length) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            match (zeros, length) {
                (15, 0) => place += 16,
                (_, 0) => break,
                _ => {
                    place += zeros;
                    *block.get_mut(*ZIGZAG.get(place)?)? = self.signed(length)? as i16;
                    place += 1;
                }
            }
        }
        Some(block)
    }
}

/// Which coefficients a scan of a progressive file tells, and which of their bits.
pub(super) struct Progression {
    first: usize,
    last: usize,
    /// Whether their higher bits are known.
    refines: bool,
    low: u8,
}

impl Progression {
    /// `None` where a scan cannot be so.
    pub(super) fn new([first, last]: [u8; 2], high: u8, low: u8) -> Option<Self> {
        let valid = if first == 0 { last == 0 } else { first <= last && last < 64 };
        let valid = valid && low < 14 && (high == 0 || high == low + 1);
        let refines = high > 0;
        valid.then_some(Self { first: first.into(), last: last.into(), refines, low })
    }

    /// Whether the scan is about the first coefficient: others have scans of one component.
    pub(super) fn is_first_coefficient(&self) -> bool {
        self.first == 0
    }

    /// Adds what the scan tells of a block; `skip` counts blocks of which it tells no more.
    pub(super) fn block(
        &self,
        bits: &mut Bits<'_>,
        [first, others]: [Option<&Table>; 2],
        before: &mut i32,
        skip: &mut u32,
        block: &mut Block,
    ) -> Option<()> {
        match (self.first, self.refines) {
            (0, false) => {
                *before = before.wrapping_add(bits.difference(first?)?);
                block[0] = (*before << self.low) as i16;
                Some(())
            }
            (0, true) => {
                block[0] |= (bits.take(1)? as i16) << self.low;
                Some(())
            }
            (_, false) => self.others(bits, others?, skip, block),
            (_, true) => self.refine(bits, others?, skip, block),
        }
    }

    fn others(
        &self,
        bits: &mut Bits<'_>,
        table: &Table,
        skip: &mut u32,
        block: &mut Block,
    ) -> Option<()> {
        if *skip > 0 {
            *skip -= 1;
            return Some(());
        }
        let mut place = self.first;
        while place <= self.last {
            let symbol = bits.symbol(table)?;
            let (zeros, length) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            match (zeros, length) {
                (15, 0) => place += 16,
                (zeros, 0) => {
                    *skip = (1 << zeros) - 1 + bits.take(zeros as u32)? as u32;
                    break;
                }
                _ => {
                    place += zeros;
                    block[*ZIGZAG.get(place)?] = (bits.signed(length)? << self.low) as i16;
                    place += 1;
                }
            }
        }
        Some(())
    }

    fn refine(
        &self,
        bits: &mut Bits<'_>,
        table: &Table,
        skip: &mut u32,
        block: &mut Block,
    ) -> Option<()> {
        let mut place = self.first;
        if *skip == 0 {
            while place <= self.last {
                let symbol = bits.symbol(table)?;
                let (mut zeros, length) = (u32::from(symbol >> 4), symbol & 15);
                let new = match (zeros, length) {
                    (15, 0) => 0,
                    (_, 0) => {
                        *skip = (1 << zeros) + bits.take(zeros)? as u32;
                        break;
                    }
                    (_, 1) => {
                        if bits.take(1)? == 1 {
                            1 << self.low
                        } else {
                            -1 << self.low
                        }
                    }
                    _ => return None,
                };
                // Over as many coefficients that are still zero.
                while place <= self.last {
                    let own = &mut block[ZIGZAG[place]];
                    place += 1;
                    if *own != 0 {
                        self.bit(bits, own)?;
                    } else if zeros == 0 {
                        *own = new;
                        break;
                    } else {
                        zeros -= 1;
                    }
                }
            }
        }
        if *skip > 0 {
            for &at in &ZIGZAG[place..=self.last] {
                if block[at] != 0 {
                    self.bit(bits, &mut block[at])?;
                }
            }
            *skip -= 1;
        }
        Some(())
    }

    /// One bit more of a coefficient, away from zero.
    fn bit(&self, bits: &mut Bits<'_>, own: &mut i16) -> Option<()> {
        let bit = 1 << self.low;
        if bits.take(1)? == 1 && *own & bit == 0 {
            *own = own.wrapping_add(if *own > 0 { bit } else { -bit });
        }
        Some(())
    }
}
