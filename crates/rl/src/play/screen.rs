//! A game on a screen that is drawn in place: title, board, proposals, the moves and what is typed.

use super::face::{Face, View, blocks, named};
use std::io::{self, BufRead, ErrorKind, Write};

/// Draws on a terminal, and reads its keys.
pub struct Screen<'a, S> {
    input: &'a mut dyn BufRead,
    out: &'a mut dyn Write,
    /// Columns and rows, now.
    size: S,
    /// What the last move did.
    told: String,
}

impl<'a, S: Fn() -> (usize, usize)> Screen<'a, S> {
    /// A screen of a `size`, in columns and rows.
    pub fn new(input: &'a mut dyn BufRead, out: &'a mut dyn Write, size: S) -> Self {
        Self { input, out, size, told: String::new() }
    }

    fn draw(&mut self, view: &View<'_>, typed: &str, wrong: &str) -> io::Result<()> {
        let (columns, rows) = (self.size)();
        let title = match self.told.as_str() {
            "" => view.title.clone(),
            told => format!("{}, {told}", view.title),
        };
        let repeated = &view.names[view.last];
        let mut below: Vec<String> = view.proposed.iter().cloned().collect();
        below.extend(legend(view.names, columns));
        below.push("arrow key, or a name or number and Enter".into());
        below.push(format!("Enter alone: {repeated} again; q ends"));
        below.extend((!wrong.is_empty()).then(|| wrong.to_owned()));
        below.push(format!("move: {typed}"));
        let cut = |line: &String| line.chars().take(columns).collect::<String>();
        let free = rows.saturating_sub(below.len() + 1);
        let board = blocks(&view.image, columns as u32, free as u32);
        let mut lines = vec![cut(&title)];
        lines.extend(board.into_iter().take(free));
        lines.extend(below.iter().map(cut));
        // In a window of a few rows the lowest lines are what one needs.
        let lines = &lines[lines.len().saturating_sub(rows)..];
        // One write, each line cleared behind its end: nothing flickers, nothing scrolls.
        write!(self.out, "\x1b[H{}\x1b[J", lines.join("\x1b[K\r\n") + "\x1b[K")?;
        self.out.flush()
    }
}

impl<S: Fn() -> (usize, usize)> Face for Screen<'_, S> {
    fn ask(&mut self, view: &View<'_>) -> anyhow::Result<Option<usize>> {
        let (mut typed, mut wrong) = (String::new(), String::new());
        loop {
            self.draw(view, &typed, &wrong)?;
            wrong.clear();
            match key(self.input)? {
                Key::End => return Ok(None),
                Key::Arrow(arrow) => match arrow.action(view.names) {
                    Some(action) => return Ok(Some(action)),
                    None => wrong = "no move of this game goes there".into(),
                },
                Key::Enter => match typed.trim() {
                    "" => return Ok(Some(view.last)),
                    "q" => return Ok(None),
                    name => match named(view.names, name) {
                        Ok(action) => return Ok(Some(action)),
                        Err(why) => (wrong, typed) = (why, String::new()),
                    },
                },
                Key::Backspace => _ = typed.pop(),
                Key::Typed('q') if typed.is_empty() && !begins_with_q(view.names) => {
                    return Ok(None);
                }
                Key::Typed(letter) => typed.push(letter),
            }
        }
    }

    fn tell(&mut self, line: &str) -> anyhow::Result<()> {
        self.told = line.to_owned();
        Ok(())
    }
}

fn begins_with_q(names: &[String]) -> bool {
    names.iter().any(|name| name.starts_with('q'))
}

/// The moves with their numbers and arrow keys, in lines of at most `columns`.
fn legend(names: &[String], columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for (index, name) in names.iter().enumerate() {
        let mut arrows = Arrow::ALL.iter();
        let arrow = arrows.find(|(arrow, ..)| arrow.action(names) == Some(index));
        let arrow = arrow.map_or(String::new(), |(_, sign, _)| format!(" {sign}"));
        let item = format!("{index} {name}{arrow}");
        let line = lines.last_mut().expect("there is one from the beginning");
        let width = line.chars().count() + 3 + item.chars().count();
        match line.as_str() {
            "" => *line = item,
            _ if width <= columns => *line += &format!("   {item}"),
            _ => lines.push(item),
        }
    }
    lines
}

/// An arrow key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrow {
    Up,
    Down,
    Right,
    Left,
}

impl Arrow {
    /// Every one, with the sign that stands for it and what an action in its direction is called.
    const ALL: [(Self, char, [&str; 2]); 4] = [
        (Self::Up, '\u{2191}', ["up", "main engine"]),
        (Self::Down, '\u{2193}', ["down", "down engine"]),
        (Self::Right, '\u{2192}', ["right", "right engine"]),
        (Self::Left, '\u{2190}', ["left", "left engine"]),
    ];

    /// The action in its direction, where there is one.
    fn action(self, names: &[String]) -> Option<usize> {
        let (_, _, meant) = Self::ALL.iter().find(|(arrow, ..)| *arrow == self)?;
        names.iter().position(|name| meant.contains(&name.as_str()))
    }
}

/// A key that was pressed.
#[derive(Debug, PartialEq, Eq)]
enum Key {
    Arrow(Arrow),
    Enter,
    Backspace,
    Typed(char),
    /// Ctrl-C, Ctrl-D, or no more input.
    End,
}

/// Waits for a key. Those that mean nothing here are passed over.
fn key(input: &mut dyn BufRead) -> io::Result<Key> {
    /// Where in a sequence such as `ESC [ A` or `ESC O A` the next byte stands.
    enum Place {
        Start,
        Escape,
        Inside,
    }
    let mut place = Place::Start;
    loop {
        let mut byte = [0];
        match input.read_exact(&mut byte) {
            Err(why) if why.kind() == ErrorKind::UnexpectedEof => return Ok(Key::End),
            read => read?,
        }
        place = match (place, byte[0]) {
            (_, 3 | 4) => return Ok(Key::End),
            (_, 0x1b) => Place::Escape,
            (Place::Escape, b'[' | b'O') => Place::Inside,
            (Place::Inside, b'A') => return Ok(Key::Arrow(Arrow::Up)),
            (Place::Inside, b'B') => return Ok(Key::Arrow(Arrow::Down)),
            (Place::Inside, b'C') => return Ok(Key::Arrow(Arrow::Right)),
            (Place::Inside, b'D') => return Ok(Key::Arrow(Arrow::Left)),
            (Place::Inside, b'@'..=b'~') => Place::Start,
            (Place::Inside, _) => Place::Inside,
            (_, b'\r' | b'\n') => return Ok(Key::Enter),
            (_, 8 | 0x7f) => return Ok(Key::Backspace),
            (_, letter @ b' '..=b'~') => return Ok(Key::Typed(letter.into())),
            _ => Place::Start,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbImage;

    fn names() -> Vec<String> {
        ["none", "left", "up", "right", "down", "fire"].map(str::to_owned).to_vec()
    }

    /// What a person's keys come to, and every screen that was drawn.
    fn ask(size: (usize, usize), mut keys: &[u8]) -> (Option<usize>, Vec<String>) {
        let (names, mut out) = (names(), Vec::new());
        let view = View {
            title: "breakout: return 0".into(),
            image: RgbImage::new(160, 160),
            proposed: Some("proposed: left 0.90, right 0.10".into()),
            names: &names,
            last: 5,
        };
        let mut screen = Screen::new(&mut keys, &mut out, || size);
        let action = screen.ask(&view).unwrap();
        let drawn = String::from_utf8(out).unwrap();
        (action, drawn.split("\x1b[H").skip(1).map(str::to_owned).collect())
    }

    #[test]
    fn arrows_are_the_actions_in_their_direction() {
        let lander = ["none", "left engine", "main engine", "right engine"].map(str::to_owned);
        let found = Arrow::ALL.map(|(arrow, ..)| arrow.action(&lander));
        assert_eq!(found, [Some(2), None, Some(3), Some(1)]);
        let grid = ["up", "right", "down", "left"].map(str::to_owned);
        let found = Arrow::ALL.map(|(arrow, ..)| arrow.action(&grid));
        assert_eq!(found, [Some(0), Some(2), Some(1), Some(3)]);
        assert!(Arrow::ALL.iter().all(|(arrow, ..)| arrow.action(&["first".to_owned()]).is_none()));
    }

    #[test]
    fn keys_are_moves() {
        let expected: [(&[u8], Option<usize>); 14] = [
            (b"\x1b[D", Some(1)),
            (b"\x1bOC", Some(3)),
            // A key of another sequence, and Escape alone, mean nothing.
            (b"\x1b[3~\x1b\x1b[A", Some(2)),
            (b"left\r", Some(1)),
            (b"leg\x7fft\r", Some(1)),
            (b"4\n", Some(4)),
            (b"fly\rfire\r", Some(5)),
            (b"\r", Some(5)),
            (b"q", None),
            (b"\x03", None),
            (b"up\x03", None),
            (b"\x04", None),
            (b"", None),
            (b"u", None),
        ];
        for (keys, action) in expected {
            assert_eq!(ask((80, 24), keys).0, action, "{:?}", String::from_utf8_lossy(keys));
        }
    }

    #[test]
    fn every_screen_fits_and_shows_the_moves() {
        let (_, screens) = ask((80, 24), b"fly\r\x1b[A");
        assert_eq!(screens.len(), 5);
        for screen in &screens {
            let lines: Vec<&str> = screen.split("\r\n").collect();
            assert_eq!(lines.len(), 24, "{screen:?}");
            assert!(screen.contains("0 none   1 left \u{2190}   2 up \u{2191}"), "{screen}");
            assert!(screen.contains("proposed: left 0.90"));
            let wide = |line: &&str| line.matches('\u{2580}').count();
            assert!(lines.iter().map(wide).max() > Some(20), "the board is there");
        }
        assert!(screens[2].contains("move: fl\x1b[K"), "{}", screens[2]);
        assert!(screens[4].contains("`fly` is no move"), "{}", screens[4]);
    }

    #[test]
    fn a_small_window_keeps_what_one_types() {
        for size in [(20, 6), (10, 1), (200, 3)] {
            let (_, screens) = ask(size, b"le");
            let lines: Vec<&str> = screens[2].split("\r\n").collect();
            assert!(lines.len() <= size.1, "{size:?}: {lines:?}");
            assert!(lines.last().unwrap().starts_with("move: le"), "{size:?}");
        }
    }
}
