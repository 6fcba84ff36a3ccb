//! [`Augment`] as text, both ways.

use std::fmt;
use std::str::FromStr;

use super::{Affine, Augment, Jitter};
use crate::Error;

const FLAG: &str = "--augment";

impl fmt::Display for Augment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(padding) = self.crop {
            parts.push(format!("crop:{padding}"));
        }
        if self.flip {
            parts.push("flip".into());
        }
        if let Some(Affine { degrees, translate, scale: (low, high), shear }) = self.affine {
            parts.push(format!("affine:{degrees}:{translate}:{low}-{high}:{shear}"));
        }
        if let Some(Jitter { brightness, contrast, saturation, hue }) = self.jitter {
            parts.push(if hue != 0.0 {
                format!("jitter:{brightness}:{contrast}:{saturation}:{hue}")
            } else if brightness == contrast && contrast == saturation {
                format!("jitter:{brightness}")
            } else {
                format!("jitter:{brightness}:{contrast}:{saturation}")
            });
        }
        if let Some(fraction) = self.cutout {
            parts.push(format!("cutout:{fraction}"));
        }
        if parts.is_empty() {
            parts.push("none".into());
        }
        f.write_str(&parts.join(","))
    }
}

impl From<Augment> for String {
    fn from(augment: Augment) -> Self {
        augment.to_string()
    }
}

impl TryFrom<String> for Augment {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl FromStr for Augment {
    type Err = Error;

    /// Parses the text that [`Augment`] describes.
    ///
    /// # Errors
    ///
    /// Names the part that is wrong, what it may hold, and all parts that there are.
    fn from_str(text: &str) -> Result<Self, Error> {
        let mut augment = Self::default();
        if text.trim() == "none" {
            return Ok(augment);
        }
        for part in text.split(',').map(str::trim) {
            let mut fields = part.split(':');
            let name = fields.next().unwrap_or_default();
            let fields: Vec<&str> = fields.collect();
            let twice = match name {
                "crop" => augment.crop.replace(crop(part, &fields)?).is_some(),
                "flip" => {
                    if !fields.is_empty() {
                        return Err(wrong(part, "expected `flip` alone"));
                    }
                    std::mem::replace(&mut augment.flip, true)
                }
                "affine" => augment.affine.replace(affine(part, &fields)?).is_some(),
                "jitter" => augment.jitter.replace(jitter(part, &fields)?).is_some(),
                "cutout" => augment.cutout.replace(cutout(part, &fields)?).is_some(),
                _ => {
                    return Err(wrong(
                        part,
                        "expected `none`, or a list of crop:4, flip, affine:10:0.1:0.9-1.1:5, \
                         jitter:0.2 and cutout:0.25",
                    ));
                }
            };
            if twice {
                return Err(wrong(part, &format!("{name} is there twice; expected it once")));
            }
        }
        Ok(augment)
    }
}

fn wrong(part: &str, why: &str) -> Error {
    let part: String = part.chars().take(60).collect();
    Error::argument(FLAG, format!("`{part}`: {why}"))
}

fn number(text: &str, low: f32, high: f32) -> Option<f32> {
    text.parse().ok().filter(|value| (low..=high).contains(value))
}

fn crop(part: &str, fields: &[&str]) -> Result<u32, Error> {
    let padding = match fields {
        [padding] => padding.parse().ok().filter(|padding| *padding <= 1024),
        _ => None,
    };
    padding
        .ok_or_else(|| wrong(part, "expected crop:PIXELS, the padding on each side, at most 1024"))
}

fn affine(part: &str, fields: &[&str]) -> Result<Affine, Error> {
    let parse = || {
        let [degrees, rest @ ..] = fields else { return None };
        if rest.len() > 3 {
            return None;
        }
        let (low, high) = rest.get(1).map_or(Some(("1", "1")), |scale| scale.split_once('-'))?;
        let (low, high) = (number(low, 0.01, 100.0)?, number(high, 0.01, 100.0)?);
        (low <= high).then_some(Affine {
            degrees: number(degrees, 0.0, 180.0)?,
            translate: number(rest.first().unwrap_or(&"0"), 0.0, 1.0)?,
            scale: (low, high),
            shear: number(rest.get(2).unwrap_or(&"0"), 0.0, 80.0)?,
        })
    };
    parse().ok_or_else(|| {
        wrong(
            part,
            "expected affine:DEGREES[:SHIFT[:SCALE-SCALE[:SHEAR]]], such as \
             affine:10:0.1:0.9-1.1:5: degrees up to 180, shift up to 1 of the size, two factors \
             from 0.01 to 100, shear in degrees up to 80",
        )
    })
}

fn jitter(part: &str, fields: &[&str]) -> Result<Jitter, Error> {
    let parse = || {
        let amounts: Option<Vec<f32>> = fields.iter().map(|text| number(text, 0.0, 1.0)).collect();
        let (brightness, contrast, saturation, hue) = match amounts?[..] {
            [all] => (all, all, all, 0.0),
            [brightness, contrast, saturation] => (brightness, contrast, saturation, 0.0),
            [brightness, contrast, saturation, hue] if hue <= 0.5 => {
                (brightness, contrast, saturation, hue)
            }
            _ => return None,
        };
        Some(Jitter { brightness, contrast, saturation, hue })
    };
    parse().ok_or_else(|| {
        wrong(
            part,
            "expected jitter:AMOUNT, or jitter:BRIGHTNESS:CONTRAST:SATURATION[:HUE], each from 0 \
             to 1, hue to 0.5",
        )
    })
}

fn cutout(part: &str, fields: &[&str]) -> Result<f32, Error> {
    let fraction = match fields {
        [fraction] => number(fraction, 0.0, 1.0),
        _ => None,
    };
    fraction.ok_or_else(|| wrong(part, "expected cutout:FRACTION of the shorter side, from 0 to 1"))
}
