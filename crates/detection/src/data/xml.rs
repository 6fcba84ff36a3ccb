//! As much of XML as annotations are written in: elements, attributes, text, entities.

use std::path::Path;
use tenfold_core::{Error, Result};

/// Elements inside each other, at most.
const MOST_DEPTH: usize = 64;

/// An element.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Element {
    /// Its name.
    pub name: String,
    /// The line it begins on, counted from 1.
    pub line: usize,
    attributes: Vec<(String, String)>,
    text: String,
    /// The elements inside.
    pub children: Vec<Element>,
}

impl Element {
    /// The first child of this name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All children of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of the first child of this name, without blanks around it.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim())
    }

    /// An attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a document; `path` is named in errors.
///
/// # Errors
/// It is not well formed; the line is named.
pub fn parse(path: &Path, text: &str) -> Result<Element> {
    let mut reader = Reader { text, at: 0 };
    reader.document().map_err(|why| {
        let line = 1 + text[..reader.at.min(text.len())].matches('\n').count();
        Error::file(path, format!("line {line}: {why}"))
    })
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

type Parsed<T> = Result<T, String>;

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn take(&mut self, what: &str) -> bool {
        let there = self.rest().starts_with(what);
        self.at += if there { what.len() } else { 0 };
        there
    }

    /// Everything up to `end`, which is taken too.
    fn until(&mut self, end: &str) -> Parsed<&'a str> {
        let rest = self.rest();
        let length = rest.find(end).ok_or_else(|| format!("the file ends before `{end}`"))?;
        self.at += length + end.len();
        Ok(&rest[..length])
    }

    fn blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn name(&mut self) -> Parsed<&'a str> {
        let rest = self.rest();
        let ends = |c: char| c.is_whitespace() || "<>/=\"'&".contains(c);
        let length = rest.find(ends).unwrap_or(rest.len());
        if length == 0 {
            return Err("expected a name".into());
        }
        self.at += length;
        Ok(&rest[..length])
    }

    fn document(&mut self) -> Parsed<Element> {
        self.take("\u{feff}");
        self.misc()?;
        let root = self.element(0)?;
        self.misc()?;
        match self.rest() {
            "" => Ok(root),
            _ => Err("more after the end of the document".into()),
        }
    }

    /// Blanks, comments, instructions and a document type.
    fn misc(&mut self) -> Parsed<()> {
        loop {
            self.blanks();
            if self.take("<!--") {
                self.until("-->")?;
            } else if self.take("<?") {
                self.until("?>")?;
            } else if self.take("<!DOCTYPE") {
                self.until(">")?;
            } else {
                return Ok(());
            }
        }
    }

    fn element(&mut self, depth: usize) -> Parsed<Element> {
        let line = 1 + self.text[..self.at].matches('\n').count();
        if !self.take("<") {
            return Err("expected an element".into());
        }
        if depth == MOST_DEPTH {
            return Err(format!("more than {MOST_DEPTH} elements inside each other"));
        }
        let mut own = Element { name: self.name()?.into(), line, ..Element::default() };
        loop {
            self.blanks();
            if self.take("/>") {
                return Ok(own);
            }
            if self.take(">") {
                break;
            }
            let name = self.name()?;
            self.blanks();
            if !self.take("=") {
                return Err(format!("attribute `{name}` without a value"));
            }
            self.blanks();
            let quote = if self.take("\"") {
                "\""
            } else if self.take("'") {
                "'"
            } else {
                return Err(format!("the value of `{name}` is not quoted"));
            };
            let value = plain(self.until(quote)?)?;
            own.attributes.push((name.into(), value));
        }
        loop {
            let rest = self.rest();
            let length = rest.find('<').ok_or_else(|| format!("<{}> is never closed", own.name))?;
            own.text.push_str(&plain(&rest[..length])?);
            self.at += length;
            if self.take("<!--") {
                self.until("-->")?;
            } else if self.take("<![CDATA[") {
                own.text.push_str(self.until("]]>")?);
            } else if self.take("<?") {
                self.until("?>")?;
            } else if self.take("</") {
                let name = self.name()?;
                if name != own.name {
                    return Err(format!("</{name}> where <{}> is open", own.name));
                }
                self.until(">")?;
                return Ok(own);
            } else {
                own.children.push(self.element(depth + 1)?);
            }
        }
    }
}

/// Text with its entities replaced.
fn plain(text: &str) -> Parsed<String> {
    let mut parts = text.split('&');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (entity, rest) = part.split_once(';').ok_or("`&` without `;`")?;
        let number =
            |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
        let character = match entity {
            "lt" => Some('<'),
            "gt" => Some('>'),
            "amp" => Some('&'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            entity => match (entity.strip_prefix("#x"), entity.strip_prefix('#')) {
                (Some(digits), _) => number(digits, 16),
                (None, Some(digits)) => number(digits, 10),
                _ => None,
            },
        };
        out.push(character.ok_or_else(|| format!("unknown entity `&{entity};`"))?);
        out.push_str(rest);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Element> {
        parse(Path::new("a.xml"), text)
    }

    #[test]
    fn elements_attributes_and_entities() {
        let text = "\u{feff}<?xml version=\"1.0\"?>\n<!DOCTYPE a>\n<a x='1 &lt; 2'>\n <!-- <b> -->\n\
                    <b>&#65;&#x42;<![CDATA[<&]]></b><c/><b>2</b></a>\n";
        let a = read(text).unwrap();
        assert_eq!((a.name.as_str(), a.attribute("x"), a.line), ("a", Some("1 < 2"), 3));
        assert_eq!(
            (a.text_of("b"), a.text_of("c"), a.text_of("d")),
            (Some("AB<&"), Some(""), None)
        );
        assert_eq!(a.all("b").count(), 2);
        assert_eq!(a.child("b").unwrap().line, 5);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, why) in [
            ("", "expected an element"),
            ("<a>\n<b></a>", "line 2: </a> where <b> is open"),
            ("<a>\n", "<a> is never closed"),
            ("<a x=1/>", "not quoted"),
            ("<a>&nbsp;</a>", "unknown entity"),
            ("<a/><b/>", "more after the end"),
            (&"<a>".repeat(100), "inside each other"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[<>/a=\"'&;!\\-\\[\\] é]{0,40}") {
            let _ = read(&text);
        }
    }
}
