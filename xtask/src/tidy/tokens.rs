//! Rust source as tokens: no comments, no white space. As much of the language as finding its
//! imports takes.

/// One token and its line, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// An identifier or keyword, `::`, one other character, or a string with its first quote.
    pub text: String,
    /// Where it stands.
    pub line: usize,
}

impl Token {
    /// Whether it is an identifier or a keyword.
    pub fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// The tokens of a source file.
pub fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let (mut found, mut i, mut line) = (Vec::new(), 0, 1);
    while i < chars.len() {
        let (start, first) = (i, line);
        let push = |found: &mut Vec<Token>, text: String| found.push(Token { text, line: first });
        let c = at(i);
        if c.is_whitespace() {
            i += 1;
        } else if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && at(i) != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            i = after_comment(&chars, i);
        } else if let Some(end) = after_string(&chars, i) {
            let quote = (i..end).find(|&i| at(i) == '"' || at(i) == '\'').unwrap_or(i);
            let inside: String = chars[quote + 1..end].iter().collect();
            push(&mut found, format!("\"{}", inside.trim_end_matches(['#', '"'])));
            i = end;
        } else if c.is_alphanumeric() || c == '_' || c == '\'' {
            // A word, a number or a lifetime.
            let raw = c == 'r' && at(i + 1) == '#';
            i += if raw { 2 } else { 1 };
            while at(i).is_alphanumeric() || at(i) == '_' {
                i += 1;
            }
            push(&mut found, chars[start + 2 * usize::from(raw)..i].iter().collect());
        } else if c == ':' && at(i + 1) == ':' {
            push(&mut found, "::".to_owned());
            i += 2;
        } else {
            push(&mut found, c.to_string());
            i += 1;
        }
        line += chars[start..i.min(chars.len())].iter().filter(|&&c| c == '\n').count();
    }
    found
}

/// The end of a block comment, which may hold others.
fn after_comment(chars: &[char], mut i: usize) -> usize {
    let mut depth = 0;
    while i < chars.len() {
        match chars.get(i..i + 2) {
            Some(['/', '*']) => (depth, i) = (depth + 1, i + 2),
            Some(['*', '/']) => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            break;
        }
    }
    i
}

/// The end of a string or a character that begins here, if one does.
fn after_string(chars: &[char], start: usize) -> Option<usize> {
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut i = start;
    while matches!(at(i), 'b' | 'c' | 'r') && i < start + 2 {
        i += 1;
    }
    let raw = i > start && at(i - 1) == 'r';
    let fences = if raw { (i..).take_while(|&i| at(i) == '#').count() } else { 0 };
    i += fences;
    let quote = at(i);
    // A lifetime has no second quote.
    let character = quote == '\'' && !raw && (at(i + 1) == '\\' || at(i + 2) == '\'');
    if quote != '"' && !character {
        return None;
    }
    i += 1;
    while i < chars.len() {
        let fenced = (1..=fences).all(|n| at(i + n) == '#');
        match at(i) {
            '\\' if !raw => i += 1,
            c if c == quote && fenced => return Some(i + 1 + fences),
            _ => {}
        }
        i += 1;
    }
    Some(i)
}
