//! Text from outside on its way to somebody who reads it: control characters as escapes.
//!
//! Names in modules, file names and messages of hosts may hold anything. Written raw to a terminal,
//! an escape sequence recolours, moves or rewrites what stands there, a newline forges a line of a
//! backtrace, and the controls of bidirectional text let a name read as another. Everything that
//! is printed and is not ours therefore goes through [`Printable`], where it is put into a message
//! or where the message is put together.

use core::fmt::{self, Write};

/// What is left of the layout of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// Nothing: newlines and tabs are escaped too.
    Name,
    /// Newlines and tabs.
    Text,
    /// Newlines and tabs; escapes are those of strings in JSON.
    Json,
}

/// Displays a text with every character escaped that is not seen itself: controls (C0, DEL, C1),
/// format characters such as those of bidirectional text, separators other than the space, and what
/// Unicode has not assigned. Backslashes and quotes are left as they are.
///
/// ```
/// use zwasm_core::Printable;
///
/// assert_eq!(Printable::name("caf\u{e9} \x1b[31m\n").to_string(), "caf\u{e9} \\u{1b}[31m\\n");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Printable<'t> {
    text: &'t str,
    style: Style,
}

impl<'t> Printable<'t> {
    /// A name, or another text that belongs on one line: newlines and tabs are escaped too.
    #[must_use]
    pub fn name(text: &'t str) -> Self {
        let style = Style::Name;
        Printable { text, style }
    }

    /// A text of several lines: newlines and tabs stay.
    #[must_use]
    pub fn text(text: &'t str) -> Self {
        let style = Style::Text;
        Printable { text, style }
    }

    /// A whole document of JSON: its strings read back as they were.
    #[must_use]
    pub fn json(text: &'t str) -> Self {
        let style = Style::Json;
        Printable { text, style }
    }
}

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = 0;
        for (at, c) in self.text.char_indices() {
            let is_layout = self.style != Style::Name && matches!(c, '\n' | '\t');
            if is_layout || is_seen(c) {
                continue;
            }
            f.write_str(&self.text[shown..at])?;
            shown = at + c.len_utf8();
            if self.style == Style::Json {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(f, "\\u{unit:04x}")?;
                }
            } else {
                for escape in c.escape_debug() {
                    f.write_char(escape)?;
                }
            }
        }
        f.write_str(&self.text[shown..])
    }
}

/// Whether a character shows as itself. The standard library knows that of the characters in a
/// string; the first one it treats apart, for a combining mark has nothing to combine with there.
fn is_seen(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    let mut buffer = [b'a'; 5];
    let size_bytes = c.encode_utf8(&mut buffer[1..]).len();
    let after_a_letter = core::str::from_utf8(&buffer[..=size_bytes]);
    after_a_letter.is_ok_and(|text| text.escape_debug().count() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_stays() {
        for text in [
            "",
            "plain",
            "a \"quoted\" 'name' \\ back",
            "caf\u{e9}",
            "\u{0939}\u{093f}\u{0928}\u{094d}\u{0926}\u{0940}",
            "\u{65e5}\u{672c}\u{8a9e}",
            "\u{1f980}",
            "e\u{301}",
        ] {
            assert_eq!(Printable::name(text).to_string(), text);
            assert_eq!(Printable::text(text).to_string(), text);
            assert_eq!(Printable::json(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_not_seen_is_escaped() {
        let controls = (0..0x20).chain(0x7f..0xa0);
        let formats = [
            0xad, 0x61c, 0x180e, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a,
            0x202b, 0x202c, 0x202d, 0x202e, 0x2060, 0x2066, 0x2067, 0x2068, 0x2069, 0xfeff, 0xfff9,
            0xe0001, 0xe007f, 0xe000, 0x10ffff,
        ];
        for code in controls.chain(formats) {
            let c = char::from_u32(code).unwrap();
            let shown = Printable::name(&format!("x{c}y")).to_string();
            assert!(
                shown.starts_with("x\\") && shown.ends_with('y') && !shown.contains(c),
                "{code:#x} as {shown}"
            );
            if !matches!(c, '\n' | '\t') {
                assert_eq!(Printable::text(&format!("x{c}y")).to_string(), shown);
            }
        }
        assert_eq!(Printable::name("\u{1b}[31m").to_string(), "\\u{1b}[31m");
        assert_eq!(Printable::name("\0\r\n\t").to_string(), "\\0\\r\\n\\t");
        assert_eq!(Printable::text("a\n\tb\r").to_string(), "a\n\tb\\r");
    }

    #[test]
    fn a_document_keeps_its_meaning() {
        let shown = Printable::json("{\"a\":\"\u{7f}\u{9b}\u{202e}\u{e0001}\"}\n").to_string();
        assert_eq!(shown, "{\"a\":\"\\u007f\\u009b\\u202e\\udb40\\udc01\"}\n");
    }
}
