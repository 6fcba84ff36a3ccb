//! `cargo xtask samples DIR`: small files to try the commands of the READMEs with.
//!
//! Everything is drawn or written here from a fixed seed, so that it is the same everywhere.

mod digits;
mod file;
mod image;
mod random;
mod scenes;
mod words;

use anyhow::{Result, ensure};
use file::{File, put};
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

#[cfg(test)]
mod tests;
