//! Reading modules and scripts: from files, or from standard input where the file is `-`.
//!
//! Whatever the path leads to is read to its end, so there is a bound: devices and pipes may have
//! none. A stream that does not begin as a module is refused after its first bytes.

use anyhow::{Context, bail, ensure};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use zwasm::{Engine, Module};
use zwasm_terminal::path;

/// More than any tier could run: the formats' own limit for modules.
const SIZE_BYTES_MAX: u64 = 1 << 30;

/// How files with machine code are named.
pub(crate) const PRECOMPILED: &str = "cwasm";

/// What is read before the beginning is looked at.
const BEGINNING_BYTES: u64 = 64 * 1024;

/// The module in `file`, in binary or text form, or precompiled.
pub(crate) fn module(engine: &Engine, file: &Path) -> anyhow::Result<Module> {
    let cannot_load = || format!("cannot load {}", path(file));
    if !is_named_precompiled(file) {
        let bytes = bytes(file).with_context(cannot_load)?;
        return Module::from_vec(engine, bytes).with_context(cannot_load);
    }
    // SAFETY: who runs this command on a file that is named as machine code has chosen to run that
    // code, as with any program, and leaves the file as it is meanwhile, as a program's; the documentation
    // says that such files are to be trusted.
    #[allow(unsafe_code, reason = "one place, see above")]
    let module = unsafe { Module::deserialize_file(engine, file) };
    module.with_context(cannot_load)
}

/// Whether a file is named like what `zwasm compile -o` makes. Machine code under another name is not
/// run: modules are sandboxed, and whoever runs one must be able to rely on that.
fn is_named_precompiled(file: &Path) -> bool {
    file.extension()
        .is_some_and(|extension| extension == PRECOMPILED)
}

/// The bytes of a module in binary or text form.
pub(crate) fn bytes(file: &Path) -> anyhow::Result<Vec<u8>> {
    read(file, check_module)
}

fn check_module(beginning: &[u8]) -> anyhow::Result<()> {
    ensure!(
        !Module::is_precompiled(beginning),
        "it is a precompiled module, which only `zwasm run` takes, from a file named .{PRECOMPILED}"
    );
    let is_text = || {
        let first = beginning.iter().find(|byte| !byte.is_ascii_whitespace());
        matches!(first, None | Some(b'(' | b';'))
    };
    ensure!(
        beginning.starts_with(b"\0asm") || is_text(),
        "neither the magic of a binary module nor text"
    );
    Ok(())
}

/// A script.
pub(crate) fn script(file: &Path) -> anyhow::Result<String> {
    let cannot_read = || format!("cannot read {}", path(file));
    let bytes = read(file, |beginning| {
        ensure!(!beginning.contains(&0), "not text");
        Ok(())
    });
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).context("not UTF-8"));
    text.with_context(cannot_read)
}

fn read(file: &Path, check: impl FnOnce(&[u8]) -> anyhow::Result<()>) -> anyhow::Result<Vec<u8>> {
    if file == Path::new("-") {
        return read_all(io::stdin().lock(), 0, check);
    }
    let opened = File::open(file)?;
    let size_bytes = opened.metadata()?.len();
    if size_bytes > SIZE_BYTES_MAX {
        bail!("{size_bytes} bytes are too many for a module");
    }
    read_all(opened, size_bytes, check)
}

/// `expected_bytes` says how many there may be.
fn read_all(
    mut from: impl Read,
    expected_bytes: u64,
    check: impl FnOnce(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One more than that shows that nothing follows.
    bytes.try_reserve_exact(expected_bytes as usize + 1)?;
    from.by_ref()
        .take(BEGINNING_BYTES)
        .read_to_end(&mut bytes)?;
    check(&bytes)?;
    from.take(SIZE_BYTES_MAX).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > SIZE_BYTES_MAX {
        bail!("it has no end after {SIZE_BYTES_MAX} bytes");
    }
    Ok(bytes)
}
