use super::*;
use image::{GrayAlphaImage, ImageBuffer, Luma, LumaA, Rgb, RgbImage, Rgba, RgbaImage};
use proptest::prelude::*;

/// A small image in `format`, with enough detail that its bytes matter.
fn encoded(format: ImageFormat) -> Vec<u8> {
    let image = RgbImage::from_fn(9, 7, |x, y| Rgb([(x * 28) as u8, (y * 36) as u8, 77]));
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

const FORMATS: [ImageFormat; 7] = [
    ImageFormat::Png,
    ImageFormat::Jpeg,
    ImageFormat::Gif,
    ImageFormat::Bmp,
    ImageFormat::WebP,
    ImageFormat::Tiff,
    ImageFormat::Pnm,
];

fn png(image: impl Into<DynamicImage>) -> DynamicImage {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
    decode("a.png", bytes.get_ref()).unwrap()
}

fn why(bytes: &[u8]) -> String {
    let error = decode("a.png", bytes).unwrap_err().to_string();
    assert!(!error.contains('\n'));
    assert!(error.starts_with("a.png: not an image that can be read ("), "{error}");
    assert!(error.ends_with("; expected PNG, JPEG, GIF, BMP, WebP, TIFF or PNM"), "{error}");
    error
}

#[test]
fn every_format_is_read_by_its_content() {
    for format in FORMATS {
        let image = decode("no-extension", &encoded(format)).unwrap();
        assert_eq!((image.width(), image.height()), (9, 7), "{format:?}");
        assert!(matches!(image, DynamicImage::ImageRgb8(_)), "{format:?}");
    }
}

#[test]
fn depth_alpha_and_grey_become_two_kinds() {
    let image = png(RgbaImage::from_pixel(2, 2, Rgba([10, 20, 30, 0])));
    assert_eq!(image.as_rgb8().unwrap().get_pixel(0, 0).0, [10, 20, 30], "alpha is dropped");
    let image = png(GrayAlphaImage::from_pixel(2, 2, LumaA([40, 0])));
    assert_eq!(image.as_luma8().unwrap().get_pixel(0, 0).0, [40]);
    let deep = ImageBuffer::from_pixel(2, 2, Luma([0xFFFFu16]));
    assert_eq!(png(deep).as_luma8().unwrap().get_pixel(0, 0).0, [255]);
    let deep = ImageBuffer::from_pixel(2, 2, Rgb([0xFFFFu16, 0, 0x8080]));
    assert_eq!(png(deep).as_rgb8().unwrap().get_pixel(0, 0).0, [255, 0, 128]);
}

#[test]
fn a_photograph_is_turned_upright() {
    // The EXIF segment of a photograph taken with the camera turned (orientation 6), put
    // behind the JPEG's first marker.
    let exif =
        b"\xFF\xE1\x00\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let plain = encoded(ImageFormat::Jpeg);
    let turned = [&plain[..2], exif, &plain[2..]].concat();
    let image = decode("a.jpg", &turned).unwrap();
    assert_eq!((image.width(), image.height()), (7, 9));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jpg");
    std::fs::write(&path, &turned).unwrap();
    assert_eq!(header(&path).unwrap(), Header { channels: 3, height: 9, width: 7 });
    std::fs::write(&path, &turned[..turned.len() - 20]).unwrap();
    assert!(header(&path).unwrap_err().to_string().contains("cut off before its end"));
}

#[test]
fn what_is_no_picture_is_refused_in_one_line() {
    assert!(why(b"").contains("it is empty"));
    assert!(why(b"This is a text file.\nIts name ends in .png.\n").contains("no known format"));
    let folder = tempfile::tempdir().unwrap();
    let error = read(folder.path()).unwrap_err().to_string();
    assert!(error.contains("it is not a file"), "{error}");
    assert!(read(folder.path().join("missing.png")).is_err());
}

#[test]
fn a_picture_cut_off_anywhere_is_refused() {
    for format in FORMATS {
        let bytes = encoded(format);
        let whole = decode("a.png", &bytes).unwrap();
        for length in 0..bytes.len() {
            // Without a trailer or checksum at the very end all pixels may still be there.
            if let Ok(image) = decode("a.png", &bytes[..length]) {
                assert!(length + 32 > bytes.len(), "{format:?} at {length}");
                assert_eq!(image, whole, "{format:?} at {length}");
            }
        }
        why(&bytes[..bytes.len() / 2]);
    }
}

#[test]
fn fifty_thousand_pixels_a_side_are_refused_by_the_header() {
    // Of their pixels nothing is there: a reader that went past the header would say so.
    // Signature and IHDR of a grey 50,000 x 50,000 PNG; its checksum is right.
    let mut png = b"\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR\0\0\xC3\x50\0\0\xC3\x50\x08\0\0\0\0".to_vec();
    png.extend(crc32(&png[12..]).to_be_bytes());
    png.extend(b"\0\0\0\0IDAT\x35\xAF\x06\x1E");
    assert!(why(&png).contains("50000 x 50000 pixels"));
    assert!(why(b"P5 50000 50000 255\n").contains("50000 x 50000 pixels"));
    // Each side is allowed, the whole is not.
    assert!(why(b"P5 16384 16384 255\n").contains("67108864 in all"));
}

#[test]
fn a_gif_s_frame_beyond_its_canvas_takes_no_memory() {
    // 1 x 1, with a frame of 65,535 x 2,000: half a gigabyte of pixels in 35 bytes.
    let mut gif = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xFF\xFF\xFF".to_vec();
    gif.extend(b",\0\0\0\0\xFF\xFF\xD0\x07\0\x02\x02\x44\x01\0;");
    assert_eq!(gif.len(), 35);
    assert!(why(&gif).contains("emory limit exceeded"), "{}", why(&gif));
}

/// The chunks of a PNG with this name, one after the other.
fn chunks(png: &[u8], wanted: &[u8]) -> Vec<u8> {
    let (mut at, mut all) = (8, Vec::new());
    while let Some(&[a, b, c, d, ref name @ ..]) = png.get(at..at + 8) {
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if name == wanted {
            all.extend(&png[at + 8..at + 8 + length]);
        }
        at += length + 12;
    }
    all
}

#[test]
fn a_colour_profile_that_unpacks_to_much_is_left_out() {
    let profile = |side: u32| {
        // Zeros, packed as they are in an image of zeros.
        let mut zeros = Cursor::new(Vec::new());
        image::GrayImage::new(side, side).write_to(&mut zeros, ImageFormat::Png).unwrap();
        let packed = chunks(zeros.get_ref(), b"IDAT");
        let chunk = [&b"iCCPx\0\0"[..], &packed].concat();
        let plain = encoded(ImageFormat::Png);
        let length = (chunk.len() as u32 - 4).to_be_bytes();
        let check = crc32(&chunk).to_be_bytes();
        let bytes = [&plain[..33], &length, &chunk, &check, &plain[33..]].concat();
        assert_eq!(decode("a.png", &bytes).unwrap(), decode("a.png", &plain).unwrap());
        let (mut decoder, _) = open(Path::new("a.png"), Cursor::new(&bytes)).unwrap();
        decoder.icc_profile().unwrap().map(|own| own.len())
    };
    assert_eq!(profile(100), Some(100 * 101));
    assert_eq!(profile(5000), None);
}

/// A WebP of these parts, each padded to an even length.
fn webp(parts: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut all = b"WEBP".to_vec();
    for (name, content) in parts {
        all.extend(*name);
        all.extend((content.len() as u32).to_le_bytes());
        all.extend(*content);
        all.resize(all.len().next_multiple_of(2), 0);
    }
    [b"RIFF", &(all.len() as u32).to_le_bytes()[..], &all].concat()
}

/// The parts `VP8X` and `VP8L` of a blank image, whose canvas may be another.
fn blank(canvas: u32, side: u32) -> ([u8; 10], Vec<u8>) {
    let mut bytes = Vec::new();
    let encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut bytes);
    let blank = vec![9; (side * side) as usize];
    encoder.encode(&blank, side, side, image::ExtendedColorType::L8).unwrap();
    let length = u32::from_le_bytes(bytes[16..20].try_into().unwrap()) as usize;
    let [a, b, c, _] = (canvas - 1).to_le_bytes();
    ([0, 0, 0, 0, a, b, c, a, b, c], bytes[20..20 + length].to_vec())
}

#[test]
fn a_webp_s_parts_are_not_believed() {
    let (canvas, frame) = blank(40, 40);
    let whole = webp(&[(b"VP8X", &canvas), (b"VP8L", &frame)]);
    assert_eq!(decode("a.webp", &whole).unwrap().width(), 40);
    // A frame of 2000 x 2000 in an image of 1 x 1, alone and as the first of an animation.
    let (canvas, frame) = blank(1, 2000);
    assert!(why(&webp(&[(b"VP8X", &canvas), (b"VP8L", &frame)])).contains("larger than the image"));
    let lossy =
        [&[0x10, 0, 0, 0x9D, 1, 0x2A][..], &2000u16.to_le_bytes().repeat(2), &[0; 9]].concat();
    assert!(why(&webp(&[(b"VP8X", &canvas), (b"VP8 ", &lossy)])).contains("larger than the image"));
    let parts = webp(&[(b"VP8L", &frame)]);
    let animated = [&[0; 16][..], &parts[12..]].concat();
    let mut flags = canvas;
    flags[0] = 2;
    let parts = [(b"VP8X", &flags[..]), (b"ANIM", &[0; 6]), (b"ANMF", &animated)];
    assert!(why(&webp(&parts)).contains("larger than the image"));
    // Metadata of four gigabytes.
    let mut metadata = webp(&[(b"VP8X", &canvas), (b"EXIF", b"II*\0"), (b"VP8L", &frame)]);
    metadata[34..38].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(why(&metadata).contains("cut off"), "{}", why(&metadata));
}

#[test]
fn blank_images_are_as_large_as_their_files_may_say() {
    // 7 bytes of memory for each pixel, of which there were 32 million in 144 bytes.
    let header = |side: u32| {
        let (canvas, mut frame) = blank(side, 16);
        let bits = (side - 1) | (side - 1) << 14;
        frame[1..5].copy_from_slice(&bits.to_le_bytes());
        webp(&[(b"VP8X", &canvas), (b"VP8L", &frame)])
    };
    assert!(weigh("a.webp", &header(1448)).is_ok());
    let few = header(5650);
    assert!(few.len() < 144 && why(&few).contains(&format!("5650 x 5650 pixels in {}", few.len())));
    // A JPEG that ends behind its header would be grey.
    let mut jpeg = encoded(ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0x1F, 0xFF, 0x1F, 0xFF]);
    assert!(why(&jpeg).contains("8191 x 8191 pixels in"));
    // A blank page of 600 dots an inch, as PNG has it.
    let page = image::GrayImage::new(4960, 7016);
    let mut bytes = Cursor::new(Vec::new());
    page.write_to(&mut bytes, ImageFormat::Png).unwrap();
    assert!(weigh("a.png", bytes.get_ref()).is_ok());
}

#[test]
fn what_an_image_takes_follows_from_its_header() {
    for format in FORMATS {
        let bytes = encoded(format);
        let weight = weigh("a", &bytes).unwrap();
        assert_eq!((weight.width, weight.height), (9, 7), "{format:?}");
        // The image, and its grey copy at least.
        assert!(weight.memory >= 9 * 7 * 4, "{format:?}: {}", weight.memory);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, &bytes).unwrap();
        let own = weigh_open(&path, File::open(&path).unwrap()).unwrap();
        assert_eq!(own.memory, weight.memory + bytes.len() as u64, "{format:?}");
        let image = read_open(&path, File::open(&path).unwrap()).unwrap();
        assert_eq!(image, decode("a", &bytes).unwrap());
    }
    assert!(weigh("a.png", b"P5 50000 50000 255\n").is_err());
}

/// The checksum of PNG chunks, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12_000))]

    #[test]
    fn damaged_pictures_never_panic(
        format in prop::sample::select(FORMATS.to_vec()),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        length in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = encoded(format);
        for (place, value) in edits {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if let Some(length) = length {
            bytes.truncate(length.index(bytes.len()));
        }
        if let Ok(image) = decode("x", &bytes) {
            prop_assert!(image.as_luma8().is_some() || image.as_rgb8().is_some());
        }
    }

    #[test]
    fn random_bytes_never_panic(
        signature in prop::sample::select(vec![
            &b"\x89PNG\r\n\x1A\n"[..], b"\xFF\xD8\xFF", b"GIF89a", b"BM", b"RIFF", b"P6 ", b"",
        ]),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = decode("x", &[signature, &bytes[..]].concat());
    }
}
