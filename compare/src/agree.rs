//! `compare agree`, and `--agree` at the end of a run: whether two runs say the same.

use crate::cli::RunArgs;
use crate::fail::Fail;
use anyhow::Result;
use std::path::Path;
use zwasm_reports::agreement::Agreement;
use zwasm_reports::history::{Record, load_any};
use zwasm_terminal::{print, unless_closed};

/// What a run is to be held against, read before it begins.
pub(crate) fn claims(args: &RunArgs) -> Result<Option<Record>> {
    Ok(args.agree.as_deref().map(load_any).transpose()?)
}

/// `compare agree`: 1 when the two runs do not agree.
pub(crate) fn agree(first: &Path, second: &Path) -> Result<u8> {
    let holds = holds(&load_any(first)?, &load_any(second)?)?;
    Ok(u8::from(!holds))
}

/// Says how far a run agrees with what another claims, and whether that is enough.
///
/// # Errors
/// The two have nothing in common.
pub(crate) fn holds(claims: &Record, run: &Record) -> Result<bool> {
    let agreement = Agreement::of(claims, run);
    if agreement.is_of_nothing() {
        return Err(Fail::error("the two runs have no row in common"));
    }
    unless_closed(print(&agreement.text()))?;
    Ok(agreement.passes())
}
