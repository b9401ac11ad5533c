//! What an icicle plot shows: an amount, what it is made of, and so on. `icicle.js` draws it.

use serde::Serialize;

/// A name, an amount, and its parts.
#[derive(Serialize)]
pub(super) struct Span(pub(super) String, pub(super) u64, pub(super) Vec<Span>);
