//! JPEG to the pixels that libjpeg-turbo makes of it, and Pillow and torchvision with it: the same
//! inverse transform, upsampling of colours and rounding. The decoder of the `image` crate differs
//! by up to 16 of 255 where colours are stored at half the size, in a fifth of all values.
//!
//! Eight bits, Huffman coding, one or three components, sequential or progressive. Of everything
//! else, and of damaged files, [`decode`] makes nothing: they are left to the other decoder.

mod entropy;
mod frame;
mod pixels;

use entropy::{Bits, Progression, Table};
use frame::{Component, Frame, ZIGZAG};
use image::{DynamicImage, GrayImage, RgbImage};

/// Scans of a progressive file at most, as in the other decoder; programs write about ten. A scan
/// of a few bytes is work on every block, so that many of them would keep a server busy.
const MOST_SCANS: usize = 100;

/// The pixels of a JPEG that is complete and of a usual kind; its header's size has been judged.
pub(super) fn decode(bytes: &[u8]) -> Option<DynamicImage> {
    let mut file = File { bytes, at: 2, ..File::default() };
    while let Some(marker) = file.marker() {
        if marker == 0xD9 {
            break;
        }
        let segment = file.segment()?;
        match marker {
            0xC0..=0xC2 if file.frame.is_none() => {
                file.frame = Some(Frame::read(segment, marker == 0xC2, bytes.len())?);
            }
            0xC4 => file.huffman(segment)?,
            0xDB => file.quantisation(segment)?,
            0xDD => file.restart = usize::from(number(segment, 0)?),
            0xDA => file.scan(segment)?,
            // Other codings, sizes that come later, and frames in frames.
            0xC0..=0xCF | 0xDC | 0xDE | 0xDF => return None,
            0xE0 => file.jfif |= segment.starts_with(b"JFIF\0"),
            0xEE if segment.starts_with(b"Adobe") => file.adobe = segment.get(11).copied(),
            _ => {}
        }
    }
    let is_rgb = file.is_rgb()?;
    let mut frame = file.frame?;
    for component in &mut frame.components {
        let table = component.quantisation?;
        let across = component.across;
        for (place, block) in std::mem::take(&mut component.blocks).iter().enumerate() {
            let at = (place / across * across * 8 + place % across) * 8;
            pixels::inverse_transform(block, &table, &mut component.samples[at..], across * 8);
        }
    }
    let [width, height] = frame.size;
    let bytes = pixels::pixels(&frame, is_rgb)?;
    let (width, height) = (width as u32, height as u32);
    match frame.components.len() {
        1 => GrayImage::from_raw(width, height, bytes).map(DynamicImage::ImageLuma8),
        _ => RgbImage::from_raw(width, height, bytes).map(DynamicImage::ImageRgb8),
    }
}

/// What has been read of a file.
#[derive(Default)]
struct File<'a> {
    bytes: &'a [u8],
    at: usize,
    frame: Option<Frame>,
    quantisation: [Option<[u16; 64]>; 4],
    /// For the first coefficients of blocks, and for the others.
    huffman: [[Option<Table>; 4]; 2],
    /// Units between restarts; 0 for none.
    restart: usize,
    /// How many there were.
    scans: usize,
    jfif: bool,
    adobe: Option<u8>,
}

/// Two bytes.
fn number(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

impl<'a> File<'a> {
    /// The next marker; restarts that a scan has left over are none.
    fn marker(&mut self) -> Option<u8> {
        loop {
            self.at += self.bytes.get(self.at..)?.iter().position(|&byte| byte == 0xFF)? + 1;
            match *self.bytes.get(self.at)? {
                0x00 | 0x01 | 0xD0..=0xD8 => {}
                0xFF => continue,
                marker => {
                    self.at += 1;
                    return Some(marker);
                }
            }
        }
    }

    fn segment(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(number(self.bytes, self.at)?);
        let segment = self.bytes.get(self.at + 2..self.at + length)?;
        self.at += length;
        Some(segment)
    }

    fn quantisation(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((&kind, rest)) = segment.split_first() {
            let wide = usize::from(kind >> 4);
            let (values, rest) = rest.split_at_checked(64 << wide.min(1))?;
            let table = self.quantisation.get_mut(usize::from(kind & 15))?.insert([0; 64]);
            for (place, &at) in ZIGZAG.iter().enumerate() {
                table[at] = match wide {
                    0 => values[place].into(),
                    _ => number(values, place * 2)?,
                };
            }
            segment = rest;
        }
        Some(())
    }

    fn huffman(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((&kind, rest)) = segment.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>()?;
            let (symbols, rest) =
                rest.split_at_checked(counts.iter().map(|&n| n as usize).sum())?;
            let tables = self.huffman.get_mut(usize::from(kind >> 4))?;
            *tables.get_mut(usize::from(kind & 15))? = Some(Table::new(counts, symbols)?);
            segment = rest;
        }
        Some(())
    }

    /// As libjpeg guesses it; `None` for what has neither one nor three components.
    fn is_rgb(&self) -> Option<bool> {
        let components = &self.frame.as_ref()?.components;
        let ids: Vec<u8> = components.iter().map(|component| component.id).collect();
        match (ids.len(), self.jfif, self.adobe) {
            (1, ..) | (3, true, _) => Some(false),
            (3, false, Some(transform)) => Some(transform == 0),
            (3, false, None) => Some(ids == *b"RGB"),
            _ => None,
        }
    }

    fn scan(&mut self, header: &[u8]) -> Option<()> {
        let frame = self.frame.as_mut()?;
        self.scans += 1;
        if frame.progressive && self.scans > MOST_SCANS {
            return None;
        }
        let count = usize::from(*header.first()?);
        let (named, rest) = header.get(1..)?.split_at_checked(count * 2)?;
        let &[first, last, bits] = rest else { return None };
        let scan = match frame.progressive {
            true => Some(Progression::new([first, last], bits >> 4, bits & 15)?),
            false => None,
        };
        // Each with its tables of Huffman codes.
        let mut parts = Vec::new();
        for pair in named.chunks_exact(2) {
            let place = frame.components.iter().position(|component| component.id == pair[0])?;
            let component = &mut frame.components[place];
            if component.quantisation.is_none() {
                component.quantisation = *self.quantisation.get(component.table)?;
            }
            component.quantisation?;
            parts.push((place, usize::from(pair[1] >> 4), usize::from(pair[1] & 15)));
        }
        if parts.is_empty()
            || (parts.len() > 1 && scan.as_ref().is_some_and(|scan| !scan.is_first_coefficient()))
        {
            return None;
        }
        let alone = parts.len() == 1;
        let units = match alone {
            true => frame.components[parts[0].0].size.map(|side| side.div_ceil(8)),
            false => frame.units,
        };
        let mut bits = Bits::new(self.bytes, self.at);
        let (mut before, mut skip) = ([0i32; 4], 0);
        for unit in 0..units[0] * units[1] {
            if self.restart > 0 && unit > 0 && unit % self.restart == 0 {
                bits.restart()?;
                (before, skip) = ([0; 4], 0);
            }
            let (x, y) = (unit % units[0], unit / units[0]);
            for (before, &(place, first, others)) in before.iter_mut().zip(&parts) {
                let component = &mut frame.components[place];
                let [h, v] = if alone { [1, 1] } else { component.sampling };
                let table = |kind: usize, which: usize| self.huffman[kind].get(which)?.as_ref();
                for inner in 0..h * v {
                    let (x, y) = (x * h + inner % h, y * v + inner / h);
                    let place = y * component.across + x;
                    match &scan {
                        Some(scan) => {
                            let tables = [table(0, first), table(1, others)];
                            let block = component.blocks.get_mut(place)?;
                            scan.block(&mut bits, tables, before, &mut skip, block)?;
                        }
                        None => {
                            let tables = [table(0, first)?, table(1, others)?];
                            let block = bits.block(tables, before)?;
                            let across = component.across * 8;
                            let samples = component.samples.get_mut((y * across + x) * 8..)?;
                            let table = component.quantisation.as_ref()?;
                            pixels::inverse_transform(&block, table, samples, across);
                        }
                    }
                }
            }
        }
        self.at = bits.at();
        Some(())
    }
}

impl Frame {
    /// `None` also where a file of so many bytes cannot hold so many blocks: each has a bit.
    fn read(segment: &[u8], progressive: bool, bytes: usize) -> Option<Self> {
        let (&[8, a, b, c, d, count], rest) = segment.split_first_chunk::<6>()? else {
            return None;
        };
        let size = [[c, d], [a, b]].map(|pair| usize::from(u16::from_be_bytes(pair)));
        if size.contains(&0) || ![1, 3].contains(&count) || rest.len() != usize::from(count) * 3 {
            return None;
        }
        let mut components: Vec<Component> = Vec::new();
        for part in rest.chunks_exact(3) {
            let sampling = [part[1] >> 4, part[1] & 15].map(usize::from);
            if !sampling.iter().all(|side| (1..=4).contains(side)) {
                return None;
            }
            components.push(Component {
                id: part[0],
                sampling,
                table: part[2].into(),
                quantisation: None,
                size: [0; 2],
                across: 0,
                samples: Vec::new(),
                blocks: Vec::new(),
            });
        }
        let most = |side: usize| components.iter().map(|own| own.sampling[side]).max();
        let sampling = [most(0)?, most(1)?];
        let units = [0, 1].map(|side| size[side].div_ceil(sampling[side] * 8));
        for own in &mut components {
            own.size =
                [0, 1].map(|side| (size[side] * own.sampling[side]).div_ceil(sampling[side]));
            own.across = units[0] * own.sampling[0];
            let blocks = own.across * units[1] * own.sampling[1];
            if blocks > bytes * 8 {
                return None;
            }
            own.samples = vec![0; blocks * 64];
            if progressive {
                own.blocks = vec![[0; 64]; blocks];
            }
        }
        Some(Self { size, progressive, sampling, units, components })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// What Pillow reads: see tests/golden/jpeg/make.py.
    #[test]
    fn pixels_are_those_of_libjpeg_turbo() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/jpeg");
        let mut count = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|ending| ending != "jpg") {
                continue;
            }
            let own = decode(&std::fs::read(&path).unwrap());
            let own = own.unwrap_or_else(|| panic!("{}: of an unusual kind", path.display()));
            let ending = if own.color().has_color() { "ppm" } else { "pgm" };
            let pillow = image::open(path.with_extension(ending)).unwrap();
            assert!(own == pillow, "{}", path.display());
            count += 1;
        }
        assert_eq!(count, 8);
    }

    #[test]
    fn a_file_of_endless_scans_is_left_alone() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/jpeg");
        let bytes = std::fs::read(folder.join("half_progressive.jpg")).unwrap();
        let marker = |from: usize, wanted: &dyn Fn(u8) -> bool| {
            let found = bytes[from..].windows(2).position(|two| two[0] == 0xFF && wanted(two[1]));
            from + found.unwrap()
        };
        // The first scan says where its coefficients begin, as often as it comes.
        let start = marker(0, &|kind| kind == 0xDA);
        let end = marker(start + 2, &|kind| kind != 0 && !(0xD0..=0xD7).contains(&kind));
        let times = |count: usize| {
            let more = bytes[start..end].repeat(count);
            [&bytes[..start], &more, &bytes[end..]].concat()
        };
        assert!(decode(&times(5)) == decode(&bytes) && decode(&bytes).is_some());
        assert!(decode(&times(MOST_SCANS + 1)).is_none());
        let why = super::super::image_file::decode("x.jpg", &times(MOST_SCANS + 1)).unwrap_err();
        assert!(why.to_string().contains("x.jpg: not an image that can be read"), "{why}");
    }

    #[test]
    fn a_size_that_the_file_cannot_hold_is_left_alone() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/jpeg/full.jpg");
        let mut bytes = std::fs::read(path).unwrap();
        let at = bytes.windows(2).position(|two| two == [0xFF, 0xC0]).unwrap();
        bytes[at + 5..at + 9].copy_from_slice(&[0x40, 0, 0x10, 0]);
        assert!(decode(&bytes).is_none());
    }
}
