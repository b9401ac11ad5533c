//! A JSON library: a recursive-descent parser into a tree of values, with escapes, surrogate pairs
//! and exact errors, and a serialiser. The kernel parses a generated document, queries and edits the
//! tree, writes it compactly and indented, and parses the result again; malformed input must be
//! refused at the right byte.

use bench::{mix, mix_bytes, Rng, Workload};
use std::fmt::Write;

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    String(String),
    Array(Vec<Value>),
    Object(Vec<(String, Value)>),
}

#[derive(Debug, PartialEq)]
struct Error {
    offset: usize,
    what: &'static str,
}

const DEPTH_MAX: u32 = 64;

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    depth: u32,
}

type Result<T> = std::result::Result<T, Error>;

impl<'a> Parser<'a> {
    fn fail<T>(&self, what: &'static str) -> Result<T> {
        Err(Error { offset: self.at, what })
    }

    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    fn expect(&mut self, word: &'static str, value: Value) -> Result<Value> {
        if self.text[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            self.fail("unknown word")
        }
    }

    fn value(&mut self) -> Result<Value> {
        self.skip_space();
        match self.peek() {
            b'{' => self.nested(Self::object),
            b'[' => self.nested(Self::array),
            b'"' => Ok(Value::String(self.string()?)),
            b't' => self.expect("true", Value::Bool(true)),
            b'f' => self.expect("false", Value::Bool(false)),
            b'n' => self.expect("null", Value::Null),
            b'-' | b'0'..=b'9' => self.number(),
            _ => self.fail("value expected"),
        }
    }

    fn nested(&mut self, parse: fn(&mut Self) -> Result<Value>) -> Result<Value> {
        if self.depth == DEPTH_MAX {
            return self.fail("too deep");
        }
        self.depth += 1;
        self.at += 1;
        let value = parse(self)?;
        self.depth -= 1;
        Ok(value)
    }

    /// After an element: whether another one follows.
    fn another(&mut self, close: u8) -> Result<bool> {
        self.skip_space();
        let c = self.peek();
        if c != b',' && c != close {
            return self.fail("comma or end expected");
        }
        self.at += 1;
        Ok(c == b',')
    }

    fn array(&mut self) -> Result<Value> {
        let mut items = Vec::new();
        self.skip_space();
        if self.peek() == b']' {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value()?);
            if !self.another(b']')? {
                return Ok(Value::Array(items));
            }
        }
    }

    fn object(&mut self) -> Result<Value> {
        let mut fields = Vec::new();
        self.skip_space();
        if self.peek() == b'}' {
            self.at += 1;
            return Ok(Value::Object(fields));
        }
        loop {
            self.skip_space();
            if self.peek() != b'"' {
                return self.fail("field name expected");
            }
            let name = self.string()?;
            self.skip_space();
            if self.peek() != b':' {
                return self.fail("colon expected");
            }
            self.at += 1;
            fields.push((name, self.value()?));
            if !self.another(b'}')? {
                return Ok(Value::Object(fields));
            }
        }
    }

    fn hex4(&mut self) -> Result<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let Some(digit) = (self.peek() as char).to_digit(16) else {
                return self.fail("hexadecimal digit expected");
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    fn escape(&mut self) -> Result<char> {
        let c = self.peek();
        self.at += 1;
        Ok(match c {
            b'"' | b'\\' | b'/' => c as char,
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.hex4()?;
                let code = if (0xd800..0xdc00).contains(&high) && self.text[self.at..].starts_with(b"\\u") {
                    self.at += 2;
                    let low = self.hex4()?;
                    0x10000 + ((high - 0xd800) << 10) + low.wrapping_sub(0xdc00)
                } else {
                    high
                };
                match char::from_u32(code) {
                    Some(c) => c,
                    None => return self.fail("lone surrogate"),
                }
            }
            _ => return self.fail("unknown escape"),
        })
    }

    fn string(&mut self) -> Result<String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            // Copies runs without escapes at once.
            let start = self.at;
            while !matches!(self.peek(), b'"' | b'\\' | 0..=0x1f) {
                self.at += 1;
            }
            match std::str::from_utf8(&self.text[start..self.at]) {
                Ok(run) => out.push_str(run),
                Err(_) => return self.fail("invalid UTF-8"),
            }
            match self.peek() {
                b'"' => {
                    self.at += 1;
                    return Ok(out);
                }
                b'\\' => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                _ => return self.fail("unterminated string"),
            }
        }
    }

    fn number(&mut self) -> Result<Value> {
        let start = self.at;
        let mut float = false;
        self.at += usize::from(self.peek() == b'-');
        loop {
            match self.peek() {
                b'0'..=b'9' => {}
                b'.' | b'e' | b'E' | b'+' | b'-' => float = true,
                _ => break,
            }
            self.at += 1;
        }
        let text = std::str::from_utf8(&self.text[start..self.at]).unwrap_or("");
        let parsed = if float { text.parse().map(Value::Float).ok() } else { text.parse().map(Value::Integer).ok() };
        match parsed {
            Some(value) => Ok(value),
            None => self.fail("malformed number"),
        }
    }
}

fn parse(text: &str) -> Result<Value> {
    let mut parser = Parser { text: text.as_bytes(), at: 0, depth: 0 };
    let value = parser.value()?;
    parser.skip_space();
    if parser.at < text.len() {
        return parser.fail("text after the value");
    }
    Ok(value)
}

/// Writes a value, on one line without `indent`.
fn write(value: &Value, indent: Option<usize>, out: &mut String) {
    let line = |out: &mut String, level: Option<usize>| {
        if let Some(level) = level {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', 2 * level));
        }
    };
    let deeper = indent.map(|i| i + 1);
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Integer(i) => {
            let _ = write!(out, "{i}");
        }
        // `{:?}` keeps a point or an exponent, so that the value reads back as a float.
        Value::Float(f) => {
            let _ = write!(out, "{f:?}");
        }
        Value::String(s) => write_string(s, out),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                line(out, deeper);
                write(item, deeper, out);
            }
            line(out, indent);
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (i, (name, item)) in fields.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                line(out, deeper);
                write_string(name, out);
                out.push_str(if indent.is_some() { ": " } else { ":" });
                write(item, deeper, out);
            }
            line(out, indent);
            out.push('}');
        }
    }
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => fields.iter().find(|(n, _)| n == name).map(|(_, v)| v),
        _ => None,
    }
}

/// Doubles every integer and upper-cases every string called `status`.
fn edit(value: &mut Value) {
    match value {
        Value::Integer(i) => *i = i.wrapping_mul(2),
        Value::Array(items) => items.iter_mut().for_each(edit),
        Value::Object(fields) => {
            for (name, item) in fields {
                match item {
                    Value::String(s) if name == "status" => *s = s.to_uppercase(),
                    item => edit(item),
                }
            }
        }
        _ => {}
    }
}

fn depth(value: &Value) -> u32 {
    1 + match value {
        Value::Array(items) => items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => fields.iter().map(|(_, v)| depth(v)).max().unwrap_or(0),
        _ => 0,
    }
}

fn document(records: u32) -> String {
    const NAMES: [&str; 6] = ["Ada", "Grace \\\"G\\\"", "Zo\u{eb}", "\\u0416\\u0443\\u043a", "\\ud83e\\udd80", "Lin\\tus"];
    const STATES: [&str; 4] = ["open", "closed", "pending", "lost"];
    let mut rng = Rng::new(4);
    let mut out = String::from("[\n");
    for id in 0..records {
        let comma = if id + 1 < records { "," } else { "" };
        let _ = write!(
            out,
            "  {{ \"id\": {id}, \"name\": \"{}\", \"status\": \"{}\", \"score\": {}, \"tags\": [",
            NAMES[rng.below(6) as usize],
            STATES[rng.below(4) as usize],
            f64::from(rng.below(1_000_000)) / 128.0,
        );
        for tag in 0..rng.below(6) {
            let _ = write!(out, "{}\"tag-{}\"", if tag > 0 { ", " } else { "" }, rng.below(40));
        }
        let (x, y, active) = (rng.below(100_000), rng.below(100_000), rng.below(2) == 0);
        let _ = writeln!(out, "], \"at\": {{\"x\": -{x}, \"y\": {y}.5e-2}}, \"active\": {active}, \"next\": null }}{comma}");
    }
    out.push(']');
    out
}

struct Json {
    text: String,
    repeat: u32,
    compact_bytes: usize,
    pretty_bytes: usize,
    open: usize,
    depth: u32,
}

impl Workload for Json {
    fn setup(small: bool) -> Json {
        let text = document(if small { 100 } else { 2000 });
        Json { text, repeat: if small { 1 } else { 2 }, compact_bytes: 0, pretty_bytes: 0, open: 0, depth: 0 }
    }

    fn kernel(&mut self) -> u64 {
        let mut sum = 0;
        for _ in 0..self.repeat {
            let mut value = parse(&self.text).expect("the document is well-formed");
            self.depth = depth(&value);
            if let Value::Array(records) = &value {
                self.open = records.iter().filter(|r| field(r, "status") == Some(&Value::String("open".into()))).count();
            }
            edit(&mut value);
            let (mut compact, mut pretty) = (String::new(), String::new());
            write(&value, None, &mut compact);
            write(&value, Some(0), &mut pretty);
            assert_eq!(parse(&compact).as_ref(), Ok(&value));
            assert_eq!(parse(&pretty).as_ref(), Ok(&value));
            // A quote lost in the middle must not go unnoticed.
            let broken = compact.replacen("\"tags\"", "\"tags", 1);
            let error = parse(&broken).expect_err("the document is broken");
            (self.compact_bytes, self.pretty_bytes) = (compact.len(), pretty.len());
            sum = mix(mix(sum, mix_bytes(0, compact.as_bytes())), error.offset as u64 ^ error.what.len() as u64);
        }
        sum
    }

    fn report(&self, out: &mut String) {
        let _ = writeln!(out, "input {}\ncompact {}\npretty {}", self.text.len(), self.compact_bytes, self.pretty_bytes);
        let _ = writeln!(out, "open {}\ndepth {}", self.open, self.depth);
    }
}

pub fn main() {
    bench::main::<Json>();
}
