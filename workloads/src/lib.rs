//! The benchmark corpus: what `manifest.toml` says about each workload, and its modules, verified.
//!
//! [`Corpus::load`] reads the manifest; [`Workload::read_verified`] returns a module's bytes only if
//! they have the size and SHA-256 that the manifest declares, so that a result can never belong to
//! another module than the one it names. Running a workload is the caller's business: append
//! [`Size::args`] to `prog` or to `prog bench N`, and compare standard output with
//! [`Size::expected`], or the last word of every `iter` line with [`Size::checksum`]. The protocol
//! is described in `README.md`.
//!
//! Deliberately absent: any engine. This crate depends on no other crate of the project.

#![forbid(unsafe_code)]

mod manifest;
pub mod real;

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The environment variable that names another corpus directory than the committed one.
pub const DIR_VARIABLE: &str = "ZWASM_WORKLOADS";

/// Why a corpus or one of its modules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the corpus is missing or unreadable.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The manifest is not what this version of the crate expects: bad TOML, an unknown or missing
    /// field, a value of the wrong type.
    #[error("{}: {}", path.display(), one_line(source))]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it, with the line.
        source: Box<toml::de::Error>,
    },
    /// The manifest's entries contradict each other or the rules of the corpus.
    #[error("{}: {problem}", path.display())]
    Inconsistent {
        /// The manifest.
        path: PathBuf,
        /// The rule that is broken, naming the entry.
        problem: String,
    },
    /// A module is not the one that the manifest describes.
    #[error("workload {id}: module has sha256 {actual}, the manifest says {expected}")]
    Checksum {
        /// The workload.
        id: String,
        /// SHA-256 in the manifest, in hexadecimal.
        expected: String,
        /// SHA-256 of the file, in hexadecimal.
        actual: String,
    },
    /// A module has the right checksum but the manifest a wrong size.
    #[error("workload {id}: module has {actual} bytes, the manifest says {expected}")]
    Length {
        /// The workload.
        id: String,
        /// Bytes in the manifest.
        expected: u64,
        /// Bytes in the file.
        actual: u64,
    },
}

/// TOML errors quote the source over several lines; ours are one line each.
fn one_line(error: &toml::de::Error) -> String {
    let text = error.to_string();
    let words: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    words.join(" ")
}

/// A loaded manifest and the directory it came from.
#[derive(Debug, Clone)]
pub struct Corpus {
    /// The workloads, in the manifest's order; ids are unique.
    pub workloads: Vec<Workload>,
    /// Programs that do not follow the bench protocol, for tests of the command line and of WASI.
    pub examples: Vec<Example>,
    /// Of a suite of its own, which of [`SUITES`] it is.
    pub suite: Option<&'static str>,
    /// Of a suite of its own, the category of the corpus whose workloads it has besides.
    includes: Option<String>,
    dir: PathBuf,
}

/// Suites of their own: folders in the corpus' with a manifest, sources and modules. The corpus' checksum and
/// whoever runs all of it leave them out, so that they may come and change without a break in its history.
pub const SUITES: [&str; 2] = ["polybench", "start-up"];

/// One benchmark program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Unique name: lower-case words joined by hyphens.
    pub id: String,
    /// What it stresses: one of [`CATEGORIES`], or of those that a suite of its own declares.
    pub category: String,
    /// `c`, `rust` or `wat`.
    pub language: String,
    /// Source file, relative to the corpus directory.
    pub source: String,
    /// SPDX licence identifier.
    pub licence: String,
    /// Module, relative to the corpus directory.
    pub module: String,
    /// SHA-256 of the module in lower-case hexadecimal.
    pub sha256: String,
    /// Size of the module.
    pub bytes: u64,
    /// Proposals beyond the first version of WebAssembly without which the module is invalid:
    /// `simd`, `tail-call`, `memory64`, `multi-memory`, `bulk-memory`, `relaxed-simd`, `exceptions`,
    /// `sign-extension`, `saturating-float-to-int`, `multi-value`, `reference-types`, `extended-const`.
    pub features: Vec<String>,
    /// One phrase about what it computes.
    pub description: String,
    /// A start-up case: its kernel is trivial, so only set-up and the first result are meaningful.
    pub startup: bool,
    /// For tests: 0.3 to 3 ms per iteration in optimised machine code.
    pub small: Size,
    /// For measurements: 20 to 60 ms per iteration in optimised machine code.
    pub standard: Size,
    /// The same program built natively, where there is one.
    pub native: Option<Native>,
}

/// How to run a workload at one size, and what it then prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size {
    /// Appended to `prog` or `prog bench N`: empty or `small`.
    pub args: Vec<String>,
    /// Standard output of a plain run.
    pub expected: String,
    /// The checksum that every bench iteration prints, 16 hexadecimal digits.
    pub checksum: String,
}

/// A native build of a workload; `scripts/build-natives.sh` puts it into `<target>/native/<id>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Native {
    /// Source file, relative to the corpus directory.
    pub source: String,
    /// Compiler flags beyond the usual ones.
    pub flags: Vec<String>,
}

/// A WASI program that is no benchmark: it reads a preopened directory, uses the clock and prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Unique name.
    pub id: String,
    /// `c` or `rust`.
    pub language: String,
    /// Source file, relative to the corpus directory.
    pub source: String,
    /// SPDX licence identifier.
    pub licence: String,
    /// Module, relative to the corpus directory.
    pub module: String,
    /// SHA-256 of the module in lower-case hexadecimal.
    pub sha256: String,
    /// Size of the module.
    pub bytes: u64,
    /// As in [`Workload::features`].
    pub features: Vec<String>,
    /// One phrase about what it does.
    pub description: String,
    /// Arguments after the program's name.
    pub args: Vec<String>,
    /// Directory, relative to the corpus directory, that the guest must see as `/data`.
    pub dir: String,
    /// Standard output.
    pub expected: String,
}

/// The categories that the corpus covers; every workload is in one, every one has a workload.
pub const CATEGORIES: [&str; 21] = [
    "allocation",
    "bigint",
    "branchy",
    "bulk-memory",
    "calls",
    "compression",
    "containers",
    "crypto",
    "dynamic-programming",
    "exceptions",
    "float",
    "image",
    "indirect-calls",
    "integer",
    "memory",
    "memory64",
    "multi-memory",
    "parsing",
    "simd",
    "startup",
    "tail-calls",
];

/// The committed corpus, or the directory that `ZWASM_WORKLOADS` names.
fn corpus_dir() -> PathBuf {
    std::env::var_os(DIR_VARIABLE)
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from)
}

impl Corpus {
    /// Loads the committed corpus, or the one in the directory that `ZWASM_WORKLOADS` names.
    ///
    /// # Errors
    /// As [`Corpus::load_from`].
    pub fn load() -> Result<Corpus, Error> {
        Corpus::load_from(&corpus_dir())
    }

    /// Loads the corpus whose manifest is `dir/manifest.toml`. Modules are not read yet.
    ///
    /// # Errors
    /// [`Error::Read`] without a manifest, [`Error::Manifest`] if it is malformed,
    /// [`Error::Inconsistent`] if an id occurs twice, a category is unknown, or a path leaves the
    /// corpus.
    pub fn load_from(dir: &Path) -> Result<Corpus, Error> {
        manifest::load(dir)
    }

    /// Loads a suite of its own, with what it includes of this corpus.
    ///
    /// # Errors
    /// As [`Corpus::load_from`].
    pub fn load_suite(&self, suite: &'static str) -> Result<Corpus, Error> {
        let mut corpus = Corpus::load_from(&self.dir.join(suite))?;
        corpus.suite = Some(suite);
        let included = self.workloads.iter();
        let included = included.filter(|w| Some(&w.category) == corpus.includes.as_ref());
        // Its folder lies in this corpus' one.
        let from_there = |path: &String| format!("../{path}");
        corpus.workloads.extend(included.map(|w| Workload {
            source: from_there(&w.source),
            module: from_there(&w.module),
            native: w.native.as_ref().map(|native| Native {
                source: from_there(&native.source),
                flags: native.flags.clone(),
            }),
            ..w.clone()
        }));
        Ok(corpus)
    }

    /// Identifies the corpus that a result belongs to: SHA-256, in hexadecimal, over one line
    /// `<id> <sha256>` per workload in order of id. It changes exactly when a module or the set of
    /// workloads does.
    pub fn checksum(&self) -> String {
        let mut lines: Vec<String> = self
            .workloads
            .iter()
            .map(|w| format!("{} {}\n", w.id, w.sha256))
            .collect();
        lines.sort_unstable();
        sha256_hex(lines.concat().as_bytes())
    }

    /// The directory that holds the manifest.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The workload of that id.
    pub fn get(&self, id: &str) -> Option<&Workload> {
        self.workloads.iter().find(|w| w.id == id)
    }
}

impl Workload {
    /// The module's bytes, if they are the ones the manifest describes.
    ///
    /// # Errors
    /// [`Error::Read`] if the file is missing, [`Error::Checksum`] or [`Error::Length`] if it is
    /// another one.
    pub fn read_verified(&self, corpus: &Corpus) -> Result<Vec<u8>, Error> {
        read_verified(
            &self.module_path(corpus),
            &self.id,
            &self.sha256,
            self.bytes,
        )
    }

    /// Where the module is.
    pub fn module_path(&self, corpus: &Corpus) -> PathBuf {
        corpus.dir.join(&self.module)
    }
}

impl Example {
    /// The module's bytes, if they are the ones the manifest describes.
    ///
    /// # Errors
    /// As [`Workload::read_verified`].
    pub fn read_verified(&self, corpus: &Corpus) -> Result<Vec<u8>, Error> {
        read_verified(
            &self.module_path(corpus),
            &self.id,
            &self.sha256,
            self.bytes,
        )
    }

    /// Where the module is.
    pub fn module_path(&self, corpus: &Corpus) -> PathBuf {
        corpus.dir.join(&self.module)
    }

    /// The host directory that the guest must see as `/data`.
    pub fn data_path(&self, corpus: &Corpus) -> PathBuf {
        corpus.dir.join(&self.dir)
    }
}

fn read_verified(path: &Path, id: &str, sha256: &str, bytes: u64) -> Result<Vec<u8>, Error> {
    let data = std::fs::read(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    verify(id, &data, bytes, sha256)?;
    Ok(data)
}

/// Whether bytes are those that a manifest describes.
fn verify(id: &str, data: &[u8], bytes: u64, sha256: &str) -> Result<(), Error> {
    let actual = sha256_hex(data);
    if actual != sha256 {
        return Err(Error::Checksum {
            id: id.to_owned(),
            expected: sha256.to_owned(),
            actual,
        });
    }
    if data.len() as u64 != bytes {
        return Err(Error::Length {
            id: id.to_owned(),
            expected: bytes,
            actual: data.len() as u64,
        });
    }
    Ok(())
}

fn sha256_hex(data: &[u8]) -> String {
    Sha256::digest(data)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
