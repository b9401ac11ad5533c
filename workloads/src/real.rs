//! Published modules and the jobs they are given: what `real/manifest.toml` says.
//!
//! The modules themselves are in packages of others, which the lab fetches; here is how to check
//! that they are the right ones, and what a right run leaves behind. Paths of jobs are relative to
//! the folder of the manifest, unless they begin with one of the places named at [`Dir`].

use crate::{Error, manifest, sha256_hex};
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

/// The version of the manifest's form.
const VERSION: u32 = 1;

/// The published modules.
#[derive(Debug, Clone)]
pub struct RealSuite {
    /// Where modules come from; ids are unique.
    pub packages: Vec<Package>,
    /// The modules with their jobs, in the manifest's order; ids are unique.
    pub modules: Vec<RealModule>,
    dir: PathBuf,
    text: String,
}

/// Which registry has a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageKind {
    /// npm, fetched with `npm pack`.
    Npm,
    /// The Python package index, fetched with `pip download`.
    Pypi,
}

/// A package at a version.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Short name, also of the folder it is unpacked to.
    pub id: String,
    /// Its registry.
    pub kind: PackageKind,
    /// Its name there.
    pub name: String,
    /// The pinned version.
    pub version: String,
    /// SHA-256 of the package file (wheel or tarball), in lower-case hexadecimal.
    pub sha256: String,
}

/// A module of a package and what it is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RealModule {
    /// Unique name: lower-case words joined by hyphens.
    pub id: String,
    /// [`Package::id`].
    pub package: String,
    /// The module's path inside the package.
    pub file: String,
    /// Further files and folders of the package that the job reads.
    #[serde(default)]
    pub folders: Vec<String>,
    /// Size of the module.
    pub bytes: u64,
    /// SHA-256 of the module as published, in lower-case hexadecimal.
    pub sha256: String,
    /// Bytes that are replaced before use, in a copy.
    pub edit: Option<Edit>,
    /// SPDX licence expression.
    pub licence: String,
    /// Language of the source.
    pub language: String,
    /// Features beyond WebAssembly 2.0 without vectors, in the words of the corpus.
    pub features: Vec<String>,
    /// What the job is, in one line.
    pub description: String,
    /// Whether the job is small enough for a processor emulator.
    pub emulated: bool,
    /// The job.
    pub job: RealJob,
}

/// Bytes of a module that are replaced by as many others.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// Where they stand.
    pub offset: usize,
    /// What stands there.
    pub from: String,
    /// What is put there.
    pub to: String,
}

/// One run of a module, and what it must give.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RealJob {
    /// The module that is run, when it is a driver of the published one.
    pub main: Option<String>,
    /// Name and file of modules loaded before; `{module}` is the published one.
    #[serde(default)]
    pub preload: Vec<(String, String)>,
    /// Folders the guest sees, and under which names.
    #[serde(default)]
    pub dirs: Vec<(Dir, String)>,
    /// Variables of the guest.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The export to call in place of `_start`.
    pub invoke: Option<String>,
    /// The guest's arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// The file on stdin; nothing without one.
    pub stdin: Option<String>,
    /// The exit code.
    #[serde(default)]
    pub exit: i32,
    /// SHA-256 of all of stdout; empty where nobody knows it.
    pub stdout_sha256: String,
    /// Files that the job leaves in its work folder, with their SHA-256.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

/// A host folder: `{work}` (empty at the start of each run), below `{package}`, or one of ours.
pub type Dir = String;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    version: u32,
    package: Vec<Package>,
    module: Vec<RealModule>,
}

impl RealSuite {
    /// Reads the manifest in `real/` of the corpus directory.
    ///
    /// # Errors
    /// When it cannot be read, has unknown or missing fields, or contradicts itself.
    pub fn load() -> Result<RealSuite, Error> {
        RealSuite::load_from(&crate::corpus_dir().join("real"))
    }

    /// As [`RealSuite::load`], from the directory that holds the manifest.
    ///
    /// # Errors
    /// As [`RealSuite::load`].
    pub fn load_from(dir: &Path) -> Result<RealSuite, Error> {
        let path = dir.join("manifest.toml");
        let (text, parsed) = manifest::read_toml::<Manifest>(&path)?;
        check(&parsed).map_err(|problem| Error::Inconsistent { path, problem })?;
        Ok(RealSuite {
            packages: parsed.package,
            modules: parsed.module,
            dir: dir.to_owned(),
            text,
        })
    }

    /// The folder of the manifest and of the jobs' inputs.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// SHA-256 of the manifest, which names every module and output by its own.
    #[must_use]
    pub fn checksum(&self) -> String {
        sha256_hex(self.text.as_bytes())
    }

    /// The package of a module.
    ///
    /// # Panics
    /// When the module is of another suite.
    #[must_use]
    pub fn package_of(&self, module: &RealModule) -> &Package {
        let mut packages = self.packages.iter();
        packages
            .find(|p| p.id == module.package)
            .expect("loading checks that it exists")
    }
}

impl RealModule {
    /// Checks bytes against the manifest and gives those to run: with the edit, if there is one.
    ///
    /// # Errors
    /// [`Error::Length`], [`Error::Checksum`], or the edit does not fit.
    pub fn verified(&self, mut bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
        crate::verify(&self.id, &bytes, self.bytes, &self.sha256)?;
        if let Some(edit) = &self.edit {
            let end = edit.offset.saturating_add(edit.from.len());
            let place = bytes.get_mut(edit.offset..end);
            match place.filter(|p| **p == *edit.from.as_bytes()) {
                Some(place) => place.copy_from_slice(edit.to.as_bytes()),
                None => {
                    return Err(Error::Inconsistent {
                        path: self.file.clone().into(),
                        problem: format!("there is no \"{}\" at offset {}", edit.from, edit.offset),
                    });
                }
            }
        }
        Ok(bytes)
    }
}

fn check(manifest: &Manifest) -> Result<(), String> {
    if manifest.version != VERSION {
        return Err(format!(
            "version {}, this program reads version {VERSION}",
            manifest.version
        ));
    }
    let mut packages = HashSet::new();
    for package in &manifest.package {
        let id = &package.id;
        if !manifest::is_name(id) || !packages.insert(id.as_str()) {
            return Err(format!("package {id}: not a name, or twice"));
        }
        if !manifest::is_hex(&package.sha256, 64) {
            return Err(format!("package {id}: not a SHA-256"));
        }
    }
    let mut modules = HashSet::new();
    for module in &manifest.module {
        let id = &module.id;
        if !manifest::is_name(id) || !modules.insert(id.as_str()) {
            return Err(format!("module {id}: not a name, or twice"));
        }
        if !packages.contains(module.package.as_str()) {
            return Err(format!("module {id}: no package {}", module.package));
        }
        let job = &module.job;
        let sums = [&module.sha256, &job.stdout_sha256];
        if !sums
            .into_iter()
            .chain(job.files.values())
            .all(|s| manifest::is_hex(s, 64))
        {
            return Err(format!("module {id}: not a SHA-256"));
        }
        let preloads = job.preload.iter().map(|(_, file)| file);
        let dirs = job.dirs.iter().map(|(dir, _)| dir);
        let inside = [&module.file]
            .into_iter()
            .chain(&module.folders)
            .chain(&job.main)
            .chain(&job.stdin)
            .chain(job.files.keys())
            .chain(preloads)
            .chain(dirs)
            .all(|path| manifest::is_inside(Path::new(path)));
        if !inside {
            return Err(format!("module {id}: a path leaves its folder"));
        }
        if module
            .edit
            .as_ref()
            .is_some_and(|e| e.from.len() != e.to.len())
        {
            return Err(format!("module {id}: an edit changes the length"));
        }
    }
    Ok(())
}

/// The size of the code section, or `None` for bytes that are no module.
///
/// Spec: binary format, modules, sections.
#[must_use]
pub fn code_section_bytes(module: &[u8]) -> Option<u64> {
    const CODE: u8 = 10;
    let mut rest = module.strip_prefix(b"\0asm\x01\0\0\0")?;
    let mut code = 0;
    while let [id, tail @ ..] = rest {
        let (mut size, mut shift, mut at) = (0_u64, 0, 0);
        loop {
            let byte = *tail.get(at)?;
            at += 1;
            size |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
            if shift > 28 {
                return None;
            }
        }
        if *id == CODE {
            code = size;
        }
        rest = tail.get(at..)?.get(usize::try_from(size).ok()?..)?;
    }
    Some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_consistent_and_its_inputs_are_there() {
        let suite = RealSuite::load().unwrap();
        assert!(suite.modules.len() >= 24);
        for module in &suite.modules {
            let job = &module.job;
            let ours = [&job.main, &job.stdin].into_iter().flatten();
            let preloads = job.preload.iter().map(|(_, file)| file);
            let dirs = job.dirs.iter().map(|(dir, _)| dir);
            for path in ours.chain(preloads).chain(dirs) {
                let place = path.starts_with('{');
                assert!(place || suite.dir().join(path).exists(), "{path}");
            }
            assert!(!module.licence.is_empty());
        }
    }

    #[test]
    fn bad_manifests_are_refused() {
        let good = std::fs::read_to_string(RealSuite::load().unwrap().dir().join("manifest.toml"));
        let good = good.unwrap();
        let dir = std::env::temp_dir().join(format!("zwasm-real-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        for (from, to, words) in [
            ("version = 1", "version = 9", "version 9"),
            (
                "package = \"ruby\"",
                "package = \"none\"",
                "no package none",
            ),
            ("id = \"cpython\"", "id = \"ruby\"", "twice"),
            (
                "stdin = \"ruby/job.rb\"",
                "stdin = \"../job.rb\"",
                "leaves its folder",
            ),
            ("to = \"!start\"", "to = \"\"", "length"),
            (
                "emulated = true",
                "emulated = true\nnew = 1",
                "unknown field",
            ),
        ] {
            std::fs::write(dir.join("manifest.toml"), good.replacen(from, to, 1)).unwrap();
            let error = RealSuite::load_from(&dir).unwrap_err().to_string();
            assert!(error.contains(words), "{words}: {error}");
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn code_sections_are_measured_and_garbage_is_none() {
        let module = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x04\x01\x02\0\x0b";
        assert_eq!(code_section_bytes(module), Some(4));
        assert_eq!(code_section_bytes(b"\0asm\x01\0\0\0"), Some(0));
        for cut in 9..module.len() {
            let code = code_section_bytes(&module[..cut]);
            assert!(code.is_none() || code == Some(0), "{cut}");
        }
        assert_eq!(
            code_section_bytes(b"\0asm\x01\0\0\0\x0a\xff\xff\xff\xff\xff\x01"),
            None
        );
    }
}
