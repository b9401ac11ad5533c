//! How a reader measures the headline again.

use super::markup::{Html, put};
use super::parts::short_hash;
use crate::rerun;
use crate::schema::Results;

/// `recorded` is the file of the checkout that has the run's rows, if one has.
pub(super) fn section(out: &mut Html, results: &Results, recorded: Option<&str>) {
    let reference = recorded.unwrap_or(rerun::TABLE);
    let Some(command) = rerun::command(results, reference) else {
        return;
    };
    out.raw("<details id=\"rerun\"><summary>Measure this yourself</summary><p>In a clone of the repository");
    if recorded.is_none() {
        put!(
            out,
            ", after saving <a href=\"{}\">{}</a> into it",
            rerun::TABLE,
            rerun::TABLE
        );
    }
    put!(
        out,
        ":</p><p><code>{}</code></p><p class=\"muted\">It ends with whether \
         your run agrees with this one, and with exit code 1 where it does not: how many rows overlap within \
         the noise floors of both, and whether the headlines do. The engine is that of the clone; \
         this run's commit is <code>{}</code>.</p></details>",
        command,
        short_hash(&results.commit)
    );
}
