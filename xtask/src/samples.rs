//! `cargo xtask samples DIR`: small files to try the commands of the READMEs with.
//!
//! Everything is drawn or written here from a fixed seed, so that it is the same everywhere.

mod digits;
mod image;
mod scenes;
mod words;

use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};

/// Where to write.
#[derive(clap::Args)]
pub struct Args {
    /// The folder to write into, such as `samples`
    dir: PathBuf,
    /// Replace samples that are there
    #[arg(long)]
    overwrite: bool,
}

/// A file's path below the folder of samples, and its bytes.
type File = (String, Vec<u8>);

/// What commands are given: a file, or a folder whose files belong together.
struct Sample {
    name: &'static str,
    /// A command that uses it, `{}` where its path belongs.
    used_by: &'static str,
    /// Its files: one, called as the sample is, or those below a folder of that name.
    files: fn(&'static str) -> Result<Vec<File>>,
}

const SAMPLES: &[Sample] = &[
    Sample {
        name: "digit.png",
        used_by: "cargo classification predict runs/lenet-glyphs {} --draw drawn --explain",
        files: digits::one,
    },
    Sample {
        name: "digits",
        used_by: "cargo classification serve runs/lenet-glyphs --queue {}",
        files: digits::folder,
    },
    Sample {
        name: "photos",
        used_by: "cargo classification train resnet20 --data {}",
        files: scenes::photos,
    },
    Sample {
        name: "picture.png",
        used_by: "cargo detection predict runs/yolov2_small-scenes {} --draw drawn",
        files: scenes::picture,
    },
    Sample {
        name: "boxes",
        used_by: "cargo detection train yolov2_small --data {}",
        files: scenes::boxes,
    },
    Sample {
        name: "captions",
        used_by: "cargo sequence train show-attend-tell --data {}",
        files: scenes::captions,
    },
    Sample {
        name: "customers.csv",
        used_by: "cargo classification train mlp --data {} --target kind",
        files: words::customers,
    },
    Sample {
        name: "new.csv",
        used_by: "cargo classification predict runs/mlp-customers {}",
        files: words::new,
    },
    Sample {
        name: "prices.csv",
        used_by: "cargo classification train knn --data {} --target price --task regression",
        files: words::prices,
    },
    Sample {
        name: "reviews.csv",
        used_by: "cargo sequence train bilstm --data {}",
        files: words::reviews,
    },
    Sample {
        name: "review.txt",
        used_by: "cargo sequence predict runs/bilstm-reviews {}",
        files: words::review,
    },
    Sample {
        name: "pairs.tsv",
        used_by: "cargo sequence train translate --data {}",
        files: words::pairs,
    },
    Sample {
        name: "book.txt",
        used_by: "cargo sequence train charlm --data {}",
        files: words::book,
    },
];

/// Runs the chore.
pub fn run(args: &Args) -> Result<()> {
    for line in write(&args.dir, args.overwrite)? {
        println!("{line}");
    }
    Ok(())
}

/// Writes all samples; returns a line for each that says which command uses it.
fn write(dir: &Path, overwrite: bool) -> Result<Vec<String>> {
    if let Some(there) = SAMPLES.iter().map(|s| dir.join(s.name)).find(|path| path.exists()) {
        ensure!(
            overwrite,
            "{}: is already there; --overwrite replaces the samples",
            there.display()
        );
    }
    let width = SAMPLES.iter().map(|sample| sample.name.len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for Sample { name, used_by, files } in SAMPLES {
        let path = dir.join(name);
        for (name, bytes) in files(name)? {
            put(&dir.join(name), &bytes)?;
        }
        lines.push(format!("{name:width$}  {}", used_by.replace("{}", &path.to_string_lossy())));
    }
    Ok(lines)
}

/// A file that is whole or absent.
fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let at = || path.display().to_string();
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(at)?;
    std::io::Write::write_all(&mut file, bytes).with_context(at)?;
    file.persist(path).with_context(at)?;
    Ok(())
}

/// Random numbers that are the same everywhere: SplitMix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * ((self.bits() >> 40) as f32 / (1u64 << 24) as f32)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.bits() % count as u64) as usize
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

#[cfg(test)]
mod tests;
