//! HTML under construction, escaped by construction.
//!
//! Markup comes from this crate's source only: a constant goes in by [`Html::raw`], and a template by
//! [`put!`], whose places take text and attribute values and escape them. Nothing else writes to an
//! [`Html`], so there is no string of a results file that a page could take for markup. An [`Html`] in a
//! place was made the same way and is put in as it is.
//!
//! Escaping is that of text and of attribute values in double quotes; a template has no place anywhere
//! else, such as in a script or for the name of a tag. Data for the page's script is an element of its own,
//! by [`Html::data`].

use serde::Serialize;
use std::fmt::{self, Display, Write};

/// A piece of a page.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Adds markup that is written in the source.
    pub(super) fn raw(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }

    /// Adds a template with its places filled; [`put!`] sees to it that there is a value for each.
    pub(super) fn fill(&mut self, template: &'static str, values: &[&dyn Value]) {
        let mut pieces = template.split(PLACE);
        self.raw(pieces.next().unwrap_or_default());
        for (value, piece) in values.iter().zip(pieces) {
            value.put_into(self);
            self.raw(piece);
        }
    }

    /// Adds a script element with data, as JSON. Its text ends at the first `</script` whatever stands
    /// around it, and a comment in it hides the end; so no `<` stays one: in JSON it is only ever part of
    /// a string, which may spell it otherwise.
    pub(super) fn data(&mut self, id: &'static str, data: &impl Serialize) {
        let json = serde_json::to_string(data).expect("plain data");
        self.raw("<script type=\"application/json\" id=\"");
        self.raw(id);
        self.raw("\">");
        self.0.push_str(&json.replace('<', "\\u003c"));
        self.raw("</script>\n");
    }

    /// The text of the finished page.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// What a place of a template takes.
pub(super) trait Value {
    fn put_into(&self, out: &mut Html);
}

impl<T: Display> Value for T {
    fn put_into(&self, out: &mut Html) {
        write!(Escaping(&mut out.0), "{self}").expect("writing to a string");
    }
}

impl Value for Html {
    fn put_into(&self, out: &mut Html) {
        out.0.push_str(&self.0);
    }
}

struct Escaping<'a>(&'a mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

const PLACE: &str = "{}";

/// The places of a template, counted by the compiler. Any other brace would be a mistake: names and
/// formats, as in `format!`, do not exist here.
pub(super) const fn places(template: &str) -> usize {
    let bytes = template.as_bytes();
    let (mut at, mut count) = (0, 0);
    while at < bytes.len() {
        if bytes[at] == b'{' {
            at += 1;
            count += 1;
            assert!(
                at < bytes.len() && bytes[at] == b'}',
                "a place has nothing in it"
            );
        }
        at += 1;
    }
    count
}

/// Adds a template, a literal, to an [`Html`], with each `{}` replaced by the next value, escaped.
macro_rules! put {
    ($out:expr, $template:literal $(, $value:expr)* $(,)?) => {{
        const {
            let values: &[&str] = &[$(stringify!($value)),*];
            assert!($crate::html::markup::places($template) == values.len(), "a value per place");
        }
        $out.fill($template, &[$(&$value as &dyn $crate::html::markup::Value),*]);
    }};
}
pub(super) use put;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_and_markup_is_not() {
        let mut inner = Html::default();
        put!(
            inner,
            "<b title=\"{}\">{}</b>",
            "\" onclick='x'",
            "<script>&"
        );
        let mut out = Html::default();
        put!(out, "<p>{}</p>", inner);
        out.raw("<hr>");
        assert_eq!(
            out.into_text(),
            "<p><b title=\"&quot; onclick=&#39;x&#39;\">&lt;script&gt;&amp;</b></p><hr>"
        );
    }

    #[test]
    fn data_has_no_markup_and_stays_what_it_was() {
        let text = "</script><!-- <script> & \"";
        let mut out = Html::default();
        out.data("d", &[text]);
        let page = out.into_text();
        let json = page.strip_prefix("<script type=\"application/json\" id=\"d\">");
        let json = json
            .and_then(|rest| rest.strip_suffix("</script>\n"))
            .unwrap();
        assert!(!json.contains('<'));
        let [again]: [String; 1] = serde_json::from_str(json).unwrap();
        assert_eq!(again, text);
    }

    #[test]
    fn what_looks_like_a_place_in_a_value_is_none() {
        let mut out = Html::default();
        put!(out, "{}-{}", "{}", 1.5);
        assert_eq!(out.into_text(), "{}-1.5");
    }
}
