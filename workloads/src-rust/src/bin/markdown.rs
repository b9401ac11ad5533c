//! A renderer from a large part of Markdown to HTML: headings, paragraphs, nested lists, quotes,
//! fenced code, tables, rules, emphasis, code spans, links, images and escapes. Works line by line on
//! blocks and character by character inside them: string slicing, growing strings and short matches.

use bench::{mix, mix_bytes, Rng, Workload};
use std::fmt::Write;

// ---- Inline text --------------------------------------------------------------------------------

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
}

/// The text up to `end`, if it occurs on this stretch, and what follows it.
fn until<'a>(text: &'a str, end: &str) -> Option<(&'a str, &'a str)> {
    let at = text.find(end)?;
    Some((&text[..at], &text[at + end.len()..]))
}

/// `label](target)` after an opening bracket: label, target and what follows.
fn link(text: &str) -> Option<(&str, &str, &str)> {
    let mut depth = 1;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let (target, rest) = until(text[at + 1..].strip_prefix('(')?, ")")?;
            return Some((&text[..at], target, rest));
        }
    }
    None
}

fn inline(mut text: &str, out: &mut String) {
    while let Some(c) = text.chars().next() {
        let rest = &text[c.len_utf8()..];
        text = match c {
            '\\' => match rest.chars().next() {
                Some(next) if next.is_ascii_punctuation() => {
                    escape(&rest[..1], out);
                    &rest[1..]
                }
                _ => {
                    out.push('\\');
                    rest
                }
            },
            '`' => match until(rest, "`") {
                Some((code, rest)) => {
                    out.push_str("<code>");
                    escape(code, out);
                    out.push_str("</code>");
                    rest
                }
                None => {
                    out.push('`');
                    rest
                }
            },
            '*' | '_' => emphasis(c, rest, out),
            '!' if rest.starts_with('[') => match link(&rest[1..]) {
                Some((label, target, rest)) => {
                    out.push_str("<img src=\"");
                    escape(target, out);
                    out.push_str("\" alt=\"");
                    escape(label, out);
                    out.push_str("\">");
                    rest
                }
                None => {
                    out.push('!');
                    rest
                }
            },
            '[' => match link(rest) {
                Some((label, target, rest)) => {
                    out.push_str("<a href=\"");
                    escape(target, out);
                    out.push_str("\">");
                    inline(label, out);
                    out.push_str("</a>");
                    rest
                }
                None => {
                    out.push('[');
                    rest
                }
            },
            '<' if rest.starts_with("http") => match until(rest, ">") {
                Some((target, rest)) => {
                    let _ = write!(out, "<a href=\"{target}\">{target}</a>");
                    rest
                }
                None => {
                    out.push_str("&lt;");
                    rest
                }
            },
            c => {
                escape(&text[..c.len_utf8()], out);
                rest
            }
        };
    }
}

/// After one emphasis mark: one mark encloses `<em>`, two enclose `<strong>`.
fn emphasis<'a>(mark: char, rest: &'a str, out: &mut String) -> &'a str {
    let (tag, marks) = match rest.strip_prefix(mark) {
        Some(_) => ("strong", 2),
        None => ("em", 1),
    };
    let inner = &rest[marks - 1..];
    let end: String = std::iter::repeat_n(mark, marks).collect();
    match until(inner, &end) {
        Some((body, rest)) if !body.is_empty() && !body.starts_with(' ') => {
            let _ = write!(out, "<{tag}>");
            inline(body, out);
            let _ = write!(out, "</{tag}>");
            rest
        }
        _ => {
            out.extend(std::iter::repeat_n(mark, marks));
            inner
        }
    }
}

// ---- Blocks -------------------------------------------------------------------------------------

#[derive(Clone, Copy, PartialEq)]
enum List {
    Bullets,
    Numbers,
}

/// The kind of list item that a line starts, and the width of its marker.
fn list_item(line: &str) -> Option<(List, usize)> {
    if line.starts_with("- ") || line.starts_with("* ") || line.starts_with("+ ") {
        return Some((List::Bullets, 2));
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    (digits > 0 && digits < 10 && line[digits..].starts_with(". ")).then_some((List::Numbers, digits + 2))
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn is_rule(line: &str) -> bool {
    line.len() >= 3 && ["-", "*", "_"].iter().any(|mark| line.trim_matches(mark.chars().next().unwrap_or('-')).is_empty())
}

fn heading(line: &str) -> Option<(usize, &str)> {
    let level = line.bytes().take_while(|b| *b == b'#').count();
    (1..=6).contains(&level).then(|| line[level..].strip_prefix(' ').map(|text| (level, text.trim_end_matches('#').trim_end())))?
}

/// Whether a line ends a paragraph by starting another block.
fn starts_block(line: &str) -> bool {
    line.is_empty() || line.starts_with("```") || line.starts_with('>') || heading(line).is_some() || is_rule(line) || list_item(line).is_some()
}

fn cells(line: &str) -> impl Iterator<Item = &str> {
    line.trim_matches('|').split('|').map(str::trim)
}

fn table(lines: &[&str], out: &mut String) -> usize {
    let used = lines.iter().take_while(|l| l.starts_with('|')).count();
    out.push_str("<table>\n");
    for (i, line) in lines[..used].iter().enumerate() {
        if i == 1 {
            continue;
        }
        out.push_str("<tr>");
        let tag = if i == 0 { "th" } else { "td" };
        for (cell, align) in cells(line).zip(cells(lines[1])) {
            let align = match (align.starts_with(':'), align.ends_with(':')) {
                (true, true) => " align=\"center\"",
                (false, true) => " align=\"right\"",
                _ => "",
            };
            let _ = write!(out, "<{tag}{align}>");
            inline(cell, out);
            let _ = write!(out, "</{tag}>");
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table>\n");
    used
}

fn list(lines: &[&str], kind: List, out: &mut String) -> usize {
    let tag = if kind == List::Bullets { "ul" } else { "ol" };
    let _ = writeln!(out, "<{tag}>");
    let mut at = 0;
    while at < lines.len() {
        let Some((found, width)) = list_item(lines[at]) else { break };
        if found != kind {
            break;
        }
        // The item goes on through indented lines, and through blank ones that an indented one follows.
        let mut item = vec![&lines[at][width..]];
        at += 1;
        while at < lines.len() {
            let blank_inside = lines[at].is_empty() && lines.get(at + 1).is_some_and(|l| indentation(l) >= 2);
            if !blank_inside && indentation(lines[at]) < 2 {
                break;
            }
            item.push(lines[at].get(width.min(indentation(lines[at]))..).unwrap_or(""));
            at += 1;
        }
        out.push_str("<li>");
        if item.len() == 1 {
            inline(item[0], out);
        } else {
            blocks(&item, out);
        }
        out.push_str("</li>\n");
    }
    let _ = writeln!(out, "</{tag}>");
    at
}

fn blocks(lines: &[&str], out: &mut String) {
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        if line.is_empty() {
            at += 1;
        } else if let Some((level, text)) = heading(line) {
            let _ = write!(out, "<h{level}>");
            inline(text, out);
            let _ = writeln!(out, "</h{level}>");
            at += 1;
        } else if let Some(language) = line.strip_prefix("```") {
            let _ = write!(out, "<pre><code class=\"{language}\">");
            at += 1;
            while at < lines.len() && lines[at] != "```" {
                escape(lines[at], out);
                out.push('\n');
                at += 1;
            }
            out.push_str("</code></pre>\n");
            at += 1;
        } else if line.starts_with('>') {
            let quoted: Vec<&str> = lines[at..]
                .iter()
                .take_while(|l| l.starts_with('>'))
                .map(|l| l[1..].strip_prefix(' ').unwrap_or(&l[1..]))
                .collect();
            at += quoted.len();
            out.push_str("<blockquote>\n");
            blocks(&quoted, out);
            out.push_str("</blockquote>\n");
        } else if is_rule(line) {
            out.push_str("<hr>\n");
            at += 1;
        } else if line.starts_with('|') && lines.get(at + 1).is_some_and(|l| l.starts_with("|-") || l.starts_with("|:")) {
            at += table(&lines[at..], out);
        } else if let Some((kind, _)) = list_item(line) {
            at += list(&lines[at..], kind, out);
        } else {
            let mut text = line.to_owned();
            at += 1;
            while at < lines.len() && !starts_block(lines[at]) {
                text.push('\n');
                text.push_str(lines[at]);
                at += 1;
            }
            out.push_str("<p>");
            inline(&text, out);
            out.push_str("</p>\n");
        }
    }
}

fn render(text: &str) -> String {
    let mut out = String::new();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    blocks(&lines, &mut out);
    out
}

// ---- The workload -------------------------------------------------------------------------------

fn sentence(rng: &mut Rng, out: &mut String) {
    const WORDS: [&str; 20] = [
        "the", "compiler", "reads", "*every*", "module", "and", "**never**", "writes", "`memory.grow`", "to", "a < b && c",
        "[the manual](https://example.org/m?a=1&b=2)", "page", "quickly", "_or_", "caf\u{e9}", "\\*not emphasis\\*",
        "![logo](logo.png)", "<https://wasm.test/x>", "2 * 3",
    ];
    for i in 0..6 + rng.below(14) {
        if i > 0 {
            out.push(if rng.below(12) == 0 { '\n' } else { ' ' });
        }
        out.push_str(WORDS[rng.below(20) as usize]);
    }
    out.push('.');
}

fn article(sections: u32) -> String {
    let mut rng = Rng::new(8);
    let mut out = String::new();
    for section in 0..sections {
        let _ = write!(out, "{} Section {section}\n\n", "#".repeat(1 + rng.below(4) as usize));
        for _ in 0..1 + rng.below(3) {
            sentence(&mut rng, &mut out);
            out.push_str("\n\n");
        }
        match rng.below(6) {
            0 => out.push_str("```rust\nfn main() {\n    println!(\"<{}>\", 1 & 2);\n}\n```\n\n"),
            1 => {
                for _ in 0..3 + rng.below(5) {
                    out.push_str("> a quoted line with **weight**\n");
                }
                out.push('\n');
            }
            2 => {
                out.push_str("| name | value | unit |\n|:---|---:|:---:|\n");
                for row in 0..2 + rng.below(8) {
                    let _ = writeln!(out, "| row `{row}` | {} | *ms* |", rng.below(10_000));
                }
                out.push('\n');
            }
            3 => {
                for item in 1..3 + rng.below(4) {
                    let _ = write!(out, "{item}. first line of *item*\n   - nested `a`\n   - nested [b](c)\n");
                }
                out.push('\n');
            }
            4 => out.push_str("- one\n- two\n\n  second paragraph of two\n- three\n\n"),
            _ => out.push_str("---\n\n"),
        }
    }
    out
}

struct Markdown {
    text: String,
    repeat: u32,
    html: String,
}

impl Workload for Markdown {
    fn setup(small: bool) -> Markdown {
        Markdown { text: article(if small { 60 } else { 1000 }), repeat: if small { 1 } else { 4 }, html: String::new() }
    }

    fn kernel(&mut self) -> u64 {
        let mut sum = 0;
        for _ in 0..self.repeat {
            self.html = render(&self.text);
            sum = mix(sum, mix_bytes(0, self.html.as_bytes()));
        }
        sum
    }

    fn report(&self, out: &mut String) {
        let count = |tag: &str| self.html.matches(tag).count();
        let _ = writeln!(out, "input {}\nhtml {}", self.text.len(), self.html.len());
        let _ = writeln!(out, "links {}\nitems {}\nrows {}", count("<a "), count("<li>"), count("<tr>"));
    }
}

pub fn main() {
    bench::main::<Markdown>();
}
