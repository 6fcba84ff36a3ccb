//! A game line by line: for pipes, and terminals that cannot be drawn on.

use super::face::{Face, View, blocks, named};
use std::io::{BufRead, IsTerminal, Write};

/// Columns of the image.
const WIDTH: u32 = 60;

/// Reads a line a move, and writes below what was written before.
pub struct Lines<'a> {
    input: &'a mut dyn BufRead,
    out: &'a mut dyn Write,
    coloured: bool,
}

impl<'a> Lines<'a> {
    /// Says which moves there are.
    pub fn new(
        input: &'a mut dyn BufRead,
        out: &'a mut dyn Write,
        names: &[String],
    ) -> anyhow::Result<Self> {
        let numbered: Vec<String> =
            names.iter().enumerate().map(|(index, name)| format!("{index} {name}")).collect();
        writeln!(out, "moves: {}; q ends", numbered.join(", "))?;
        Ok(Self { input, out, coloured: std::io::stdout().is_terminal() })
    }
}

impl Face for Lines<'_> {
    fn ask(&mut self, view: &View<'_>) -> anyhow::Result<Option<usize>> {
        if self.coloured {
            for row in blocks(&view.image, WIDTH, u32::MAX / 2) {
                writeln!(self.out, "{row}")?;
            }
        }
        if let Some(proposed) = &view.proposed {
            writeln!(self.out, "{proposed}")?;
        }
        loop {
            write!(self.out, "move [{}]: ", view.names[view.last])?;
            self.out.flush()?;
            let mut line = String::new();
            if self.input.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            match (line.trim(), named(view.names, line.trim())) {
                ("q", _) => return Ok(None),
                ("", _) => return Ok(Some(view.last)),
                (_, Ok(action)) => return Ok(Some(action)),
                (_, Err(why)) => writeln!(self.out, "{why}")?,
            }
        }
    }

    fn tell(&mut self, line: &str) -> anyhow::Result<()> {
        Ok(writeln!(self.out, "{line}")?)
    }
}
