//! Other builds of zwasm: `--against rev:REV` and `--against zwasm=PATH`.
//!
//! A revision is checked out in a worktree of its own, built, and kept by its hash. What it is compared with is
//! then built the same way from the checkout as it stands. Both without link-time optimisation, which takes
//! most of a build's time and changes no machine code that the compilers make; results say so.

use crate::fail::Fail;
use crate::folders::{build_dir, checkout};
use crate::machine::git;
use crate::provision::sha256_of_file;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Another build.
#[derive(Clone, Debug)]
pub(crate) struct Build {
    /// In names of engines, behind the tier's.
    pub(crate) label: String,
    pub(crate) title: String,
    pub(crate) program: PathBuf,
}

/// What an argument of `--against` names, if it is another build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named<'a> {
    Revision(&'a str),
    Program(&'a Path),
}

impl<'a> Named<'a> {
    pub(crate) fn parse(argument: &'a str) -> Option<Named<'a>> {
        if let Some(revision) = argument.strip_prefix("rev:") {
            return Some(Named::Revision(revision));
        }
        let path = argument.strip_prefix("zwasm=")?;
        Some(Named::Program(Path::new(path)))
    }

    /// The build, made if need be.
    ///
    /// # Errors
    /// There is no such revision or program, or it does not build.
    pub(crate) fn have(self, say: &dyn Fn(&str)) -> Result<Build> {
        match self {
            Named::Revision(revision) => of_revision(revision, say),
            Named::Program(path) => of_program(path),
        }
    }
}

/// Said in the results of a comparison with a revision.
pub(crate) const HOW_BUILT: &str = "both builds are made without link-time optimisation: machine code is \
    that of the shipped command, the interpreter and the compilers themselves are a little slower";

/// Whether a comparison is with a revision, so that this checkout's own build must be like its.
pub(crate) fn is_with_revision(against: &[String]) -> bool {
    let is_revision = |name: &String| matches!(Named::parse(name), Some(Named::Revision(_)));
    against.iter().any(is_revision)
}

/// Characters of a hash that names a build.
const HASH_CHARS: usize = 7;

fn of_program(path: &Path) -> Result<Build> {
    if !path.is_file() {
        return Err(Fail::usage(format!(
            "there is no program {}",
            path.display()
        )));
    }
    // By what it is, not where: results are published.
    let label: String = sha256_of_file(path)?.chars().take(HASH_CHARS).collect();
    Ok(Build {
        title: "another build".to_owned(),
        label,
        program: std::path::absolute(path)?,
    })
}

fn of_revision(revision: &str, say: &dyn Fn(&str)) -> Result<Build> {
    let commit = format!("{revision}^{{commit}}");
    let hash = git(
        checkout(),
        &[
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &commit,
        ],
    )
    .map_err(|_| {
        Fail::usage(format!(
            "there is no revision `{revision}` in this checkout"
        ))
    })?;
    let label: String = hash.chars().take(HASH_CHARS).collect();
    let program = folder().join(&hash).join("zwasm");
    let build = Build {
        title: format!("commit {hash}"),
        label,
        program,
    };
    if build.program.is_file() {
        return Ok(build);
    }
    say(&format!("building zwasm at {revision} ({})", build.label));
    let tree = folder().join(format!("{hash}.tree"));
    let shown = tree.to_string_lossy();
    // One that an interrupted run left.
    let _ = git(checkout(), &["worktree", "remove", "--force", &shown]);
    git(
        checkout(),
        &["worktree", "add", "--force", "--detach", &shown, &hash],
    )?;
    let built = cargo_build(&tree).and_then(|program| keep(&program, &build.program));
    let _ = git(checkout(), &["worktree", "remove", "--force", &shown]);
    built.map(|()| build)
}

/// This checkout's own command, built like those of revisions.
pub(crate) fn own(say: &dyn Fn(&str)) -> Result<PathBuf> {
    say("building zwasm of this checkout");
    let own = folder().join("own").join("zwasm");
    keep(&cargo_build(checkout())?, &own)?;
    Ok(own)
}

fn folder() -> PathBuf {
    build_dir().join("compare").join("builds")
}

/// Builds the command of a checkout for a comparison of builds; all share what they depend on.
fn cargo_build(root: &Path) -> Result<PathBuf> {
    build(root, &folder().join("target"), |cargo| {
        cargo
            .arg("--locked")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_INCREMENTAL", "0");
    })
}

/// Builds the command of a checkout into a build folder, as it is shipped but for what `set` changes, and says
/// where it is.
pub(crate) fn build(root: &Path, target: &Path, set: impl FnOnce(&mut Command)) -> Result<PathBuf> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--release", "-p", "zwasm-cli", "--manifest-path"])
        .arg(root.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target);
    set(&mut cargo);
    let status = cargo.status().context("cannot start cargo")?;
    if !status.success() {
        return Err(Fail::error("the zwasm command does not build"));
    }
    Ok(target.join("release").join("zwasm"))
}

fn keep(program: &Path, to: &Path) -> Result<()> {
    let folder = to.parent().unwrap_or(to);
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    let temporary = to.with_extension("tmp");
    std::fs::copy(program, &temporary)
        .and_then(|_| std::fs::rename(&temporary, to))
        .with_context(|| format!("cannot write {}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_are_named_by_their_prefix() {
        assert_eq!(Named::parse("rev:HEAD~1"), Some(Named::Revision("HEAD~1")));
        let program = Named::Program(Path::new("/a/zwasm"));
        assert_eq!(Named::parse("zwasm=/a/zwasm"), Some(program));
        assert_eq!(Named::parse("wasmtime"), None);
    }

    #[test]
    fn what_is_not_there_is_an_error_in_one_line() {
        let quiet = |_: &str| ();
        for name in [
            "rev:no-such-revision",
            "rev:--help",
            "zwasm=/no/such/program",
        ] {
            let error = Named::parse(name).unwrap().have(&quiet).unwrap_err();
            let text = format!("{error:#}");
            assert!(
                text.starts_with("there is no ") && !text.contains('\n'),
                "{text}"
            );
        }
    }
}
