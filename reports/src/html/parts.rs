//! What several sections are made of: figures, tables, swatches.

use super::canvas::Ink;
use super::markup::{Html, put};
use crate::schema::{Commit, Results};

/// A plot with its caption, scrolling by itself on a narrow screen.
pub(super) fn figure(out: &mut Html, caption: &str, svg: Html) {
    put!(
        out,
        "<figure><figcaption>{}</figcaption><div class=\"scroll\">{}</div></figure>",
        caption,
        svg
    );
}

/// The head of a table's column.
#[derive(Clone, Copy)]
pub(super) enum Column<'a> {
    Text(&'a str),
    /// Aligned to the right.
    Number(&'a str),
}

/// A table of these classes, scrolling by itself; `rows` adds the rows.
pub(super) fn table(
    out: &mut Html,
    classes: &'static str,
    columns: &[Column<'_>],
    rows: impl FnOnce(&mut Html),
) {
    out.raw("<div class=\"scroll\"><table");
    if !classes.is_empty() {
        put!(out, " class=\"{}\"", classes);
    }
    out.raw(">");
    if !columns.is_empty() {
        out.raw("<thead><tr>");
        for column in columns {
            match column {
                Column::Text(title) => put!(out, "<th>{}</th>", title),
                Column::Number(title) => put!(out, "<th class=\"n\">{}</th>", title),
            }
        }
        out.raw("</tr></thead>");
    }
    out.raw("<tbody>");
    rows(out);
    out.raw("</tbody></table></div>");
}

/// The table behind a plot, or another one that not everybody wants to see.
pub(super) fn folded_table(
    out: &mut Html,
    summary: &str,
    columns: &[Column<'_>],
    rows: impl FnOnce(&mut Html),
) {
    put!(out, "<details><summary>{}</summary>", summary);
    table(out, "", columns, rows);
    out.raw("</details>");
}

/// The place of an engine in the list, which is its colour everywhere.
pub(super) fn series_of(results: &Results, engine: &str) -> usize {
    let at = results.engines.iter().position(|e| e.id == engine);
    at.unwrap_or(0)
}

pub(super) fn swatch(ink: Ink) -> Html {
    let mut out = Html::default();
    put!(
        out,
        "<span class=\"swatch\" style=\"background:var(--{})\"></span>",
        ink.variable()
    );
    out
}

/// What is shown of a value that may not be there.
pub(super) fn or_dash(shown: Option<String>) -> String {
    shown.unwrap_or_else(|| "–".to_owned())
}

/// What is said behind a commit that is not quite what was measured.
pub(super) fn local_changes(commit: &Commit) -> &'static str {
    if commit.dirty {
        " with local changes"
    } else {
        ""
    }
}

/// A commit as people name it.
pub(super) fn short_hash(commit: &Commit) -> String {
    commit.hash.chars().take(12).collect()
}

pub(super) fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|c| c.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}
