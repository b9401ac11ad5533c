//! The manifest's form on disk, and its checked conversion into the public types.
//!
//! Every table refuses unknown fields: a misspelt field must not silently fall back to a default.
//! Whatever passes here has unique ids, known categories and paths that stay inside the corpus.

use std::collections::HashSet;
use std::path::{Component, Path};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::{CATEGORIES, Corpus, Error, Example, Native, Size, Workload};

/// The version of the form below; another one is refused rather than guessed at.
const VERSION: u32 = 1;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    version: u32,
    /// Those of a suite of its own.
    categories: Option<Vec<String>>,
    /// Of a suite of its own: a category of the corpus that belongs to it, too.
    includes: Option<String>,
    #[serde(default)]
    workload: Vec<WorkloadEntry>,
    #[serde(default)]
    example: Vec<ExampleEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkloadEntry {
    id: String,
    category: String,
    language: String,
    source: String,
    licence: String,
    module: String,
    sha256: String,
    bytes: u64,
    features: Vec<String>,
    startup: bool,
    description: String,
    small: SizeEntry,
    standard: SizeEntry,
    native: Option<NativeEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SizeEntry {
    args: Vec<String>,
    expected: String,
    checksum: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NativeEntry {
    source: String,
    flags: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExampleEntry {
    id: String,
    language: String,
    source: String,
    licence: String,
    module: String,
    sha256: String,
    bytes: u64,
    features: Vec<String>,
    description: String,
    args: Vec<String>,
    dir: String,
    expected: String,
}

impl From<SizeEntry> for Size {
    fn from(e: SizeEntry) -> Size {
        Size {
            args: e.args,
            expected: e.expected,
            checksum: e.checksum,
        }
    }
}

impl From<WorkloadEntry> for Workload {
    fn from(e: WorkloadEntry) -> Workload {
        Workload {
            id: e.id,
            category: e.category,
            language: e.language,
            source: e.source,
            licence: e.licence,
            module: e.module,
            sha256: e.sha256,
            bytes: e.bytes,
            features: e.features,
            description: e.description,
            startup: e.startup,
            small: e.small.into(),
            standard: e.standard.into(),
            native: e.native.map(|n| Native {
                source: n.source,
                flags: n.flags,
            }),
        }
    }
}

impl From<ExampleEntry> for Example {
    fn from(e: ExampleEntry) -> Example {
        Example {
            id: e.id,
            language: e.language,
            source: e.source,
            licence: e.licence,
            module: e.module,
            sha256: e.sha256,
            bytes: e.bytes,
            features: e.features,
            description: e.description,
            args: e.args,
            dir: e.dir,
            expected: e.expected,
        }
    }
}

/// A file's text and what it says.
pub(crate) fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<(String, T), Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    let parsed = toml::from_str(&text).map_err(|source| Error::Manifest {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    Ok((text, parsed))
}

pub(crate) fn load(dir: &Path) -> Result<Corpus, Error> {
    let path = dir.join("manifest.toml");
    let (_, manifest) = read_toml::<Manifest>(&path)?;
    check(&manifest).map_err(|problem| Error::Inconsistent { path, problem })?;
    Ok(Corpus {
        workloads: manifest.workload.into_iter().map(Workload::from).collect(),
        examples: manifest.example.into_iter().map(Example::from).collect(),
        suite: None,
        includes: manifest.includes,
        dir: dir.to_owned(),
    })
}

fn check(manifest: &Manifest) -> Result<(), String> {
    if manifest.version != VERSION {
        return Err(format!(
            "version {} is not supported, only {VERSION}",
            manifest.version
        ));
    }
    let mut seen = HashSet::new();
    let workloads = manifest
        .workload
        .iter()
        .map(|w| (&w.id, &w.sha256, vec![&w.source, &w.module]));
    let examples = manifest
        .example
        .iter()
        .map(|e| (&e.id, &e.sha256, vec![&e.source, &e.module, &e.dir]));
    for (id, sha256, paths) in workloads.chain(examples) {
        if !is_name(id) {
            return Err(format!(
                "id {id:?} is not lower-case words joined by hyphens"
            ));
        }
        if !seen.insert(id) {
            return Err(format!("id {id} occurs twice"));
        }
        if let Some(path) = paths.into_iter().find(|p| !is_inside(Path::new(p))) {
            return Err(format!("{id}: path {path:?} leaves the corpus"));
        }
        if !is_hex(sha256, 64) {
            return Err(format!(
                "{id}: {sha256:?} is no SHA-256 in lower-case hexadecimal"
            ));
        }
    }
    let declared = manifest.categories.as_ref();
    for w in &manifest.workload {
        let is_known = declared.map_or_else(
            || CATEGORIES.contains(&w.category.as_str()),
            |categories| categories.contains(&w.category),
        );
        if !is_known {
            return Err(format!("{}: unknown category {:?}", w.id, w.category));
        }
        if let Some(size) = [&w.small, &w.standard]
            .into_iter()
            .find(|s| !is_hex(&s.checksum, 16))
        {
            return Err(format!(
                "{}: {:?} is no checksum of 16 hexadecimal digits",
                w.id, size.checksum
            ));
        }
        if let Some(native) = &w.native
            && !is_inside(Path::new(&native.source))
        {
            return Err(format!(
                "{}: path {:?} leaves the corpus",
                w.id, native.source
            ));
        }
    }
    Ok(())
}

/// Lower-case words joined by hyphens.
pub(crate) fn is_name(id: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !id.is_empty() && id.bytes().all(allowed)
}

/// Relative and without `..`: joining it to the corpus directory stays inside.
pub(crate) fn is_inside(path: &Path) -> bool {
    path.components().all(|c| matches!(c, Component::Normal(_)))
        && path.components().next().is_some()
}

pub(crate) fn is_hex(text: &str, len: usize) -> bool {
    text.len() == len
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A manifest with one workload, in which `from` is replaced by `to`.
    fn loaded(from: &str, to: &str) -> Result<Manifest, String> {
        let text = format!(
            r#"
            version = 1
            [[workload]]
            id = "a"
            category = "integer"
            language = "c"
            source = "src-c/a.c"
            licence = "Apache-2.0"
            module = "wasm/a.wasm"
            sha256 = "{}"
            bytes = 8
            features = []
            startup = false
            description = "nothing"
            [workload.small]
            args = ["small"]
            expected = ""
            checksum = "0123456789abcdef"
            [workload.standard]
            args = []
            expected = ""
            checksum = "0123456789abcdef"
            "#,
            "0".repeat(64)
        );
        assert!(text.contains(from), "the edit {from:?} applies");
        let manifest: Manifest =
            toml::from_str(&text.replace(from, to)).map_err(|e| e.to_string())?;
        check(&manifest).map(|()| manifest)
    }

    fn refused(from: &str, to: &str) -> String {
        loaded(from, to).err().expect("the manifest is refused")
    }

    #[test]
    fn a_good_manifest_loads() {
        assert_eq!(loaded("nothing", "anything").unwrap().workload.len(), 1);
    }

    #[test]
    fn unknown_and_missing_fields_are_named() {
        assert!(refused("bytes = 8", "byte = 8").contains("unknown field `byte`"));
        assert!(refused("bytes = 8", "").contains("missing field `bytes`"));
    }

    #[test]
    fn contradictions_are_named() {
        assert!(refused("version = 1", "version = 2").contains("version 2"));
        assert!(refused("\"integer\"", "\"integers\"").contains("unknown category"));
        let own = "version = 1\n categories = [\"stencils\"]";
        assert!(refused("version = 1", own).contains("unknown category \"integer\""));
        assert!(refused("wasm/a.wasm", "../a.wasm").contains("leaves the corpus"));
        assert!(refused("wasm/a.wasm", "/a.wasm").contains("leaves the corpus"));
        assert!(refused("id = \"a\"", "id = \"A b\"").contains("not lower-case"));
        assert!(refused("0123456789abcdef", "xyz").contains("no checksum"));
    }
}
