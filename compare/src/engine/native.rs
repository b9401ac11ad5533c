//! Native twins: the same source, built for this machine by the compiler that built the module.
//!
//! A twin is a peer like any other, except that it is one binary per workload. C and C++ twins are
//! built on first use and kept under a name that holds the checksum of their sources and flags;
//! Rust twins are built by cargo, which knows itself what is up to date.

use super::command_line::strings;
use super::{Adapter, Compile, Found, Job, Setting, elf_text_bytes, missing};
use crate::exec::{Executor, Exit, Invocation, first_line};
use crate::fail::Measured;
use crate::provision::{Claim, Had, PipPackage, sha256_of, sha256_of_file};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zwasm_reports::schema::{CellStatus, EngineInfo, EngineKind};
use zwasm_workloads::{Native, Workload};

const PACKAGE: PipPackage = PipPackage {
    peer: "zig",
    package: "ziglang",
    version: "0.17.1",
    binary: "ziglang/zig",
    platform: None,
};

struct NativeTwin {
    info: EngineInfo,
    compiler: PathBuf,
    dir: PathBuf,
    corpus_dir: PathBuf,
}

pub(super) fn find(setting: &mut Setting<'_>) -> Result<Found> {
    let title = "native twin (LLVM -O2)";
    let compiler = match setting.provisioner.pip(&PACKAGE, setting.executor)? {
        Had::Missing(why) => return Ok(missing("native", EngineKind::Peer, title, why)),
        Had::Binary(program) => program,
    };
    let claim = Claim::identify(&compiler, &["version"], "0.17", setting.executor)?;
    Ok(Found::Ready(Box::new(NativeTwin {
        info: EngineInfo {
            version: format!("built by zig cc {}", claim.version),
            sha256: claim.sha256,
            ..EngineInfo::new("native", EngineKind::Peer, title)
        },
        compiler,
        dir: setting.native_dir.clone(),
        corpus_dir: setting.corpus_dir.clone(),
    })))
}

impl NativeTwin {
    fn binary(&self, workload: &Workload) -> PathBuf {
        let Some(native) = &workload.native else {
            return self.dir.join("none");
        };
        let source = self.corpus_dir.join(&native.source);
        if is_rust(native) {
            let stem = source.file_stem().unwrap_or_default();
            return self.dir.join("rust").join("release").join(stem);
        }
        // What lies beside a C source may be included by it.
        let mut key = format!("{:?} {:?} {}", C_FLAGS, native.flags, self.info.sha256);
        for path in files_beside(&source) {
            key.push_str(&sha256_of_file(&path).unwrap_or_default());
        }
        let key = &sha256_of(key.as_bytes())[..16];
        self.dir.join(format!("{}-{key}", workload.id))
    }

    /// The command that builds a twin into a path.
    fn build(&self, native: &Native, to: &Path) -> Invocation {
        let source = self.corpus_dir.join(&native.source);
        if is_rust(native) {
            let stem = source.file_stem().unwrap_or_default().to_string_lossy();
            let manifest = source
                .ancestors()
                .map(|dir| dir.join("Cargo.toml"))
                .find(|file| file.is_file())
                .unwrap_or_default();
            let mut args = strings(&["build", "--release", "--quiet", "--bin", &stem]);
            args.push("--manifest-path".to_owned());
            args.push(manifest.to_string_lossy().into_owned());
            args.push("--target-dir".to_owned());
            args.push(self.dir.join("rust").to_string_lossy().into_owned());
            return Invocation::new("cargo", args);
        }
        let verb = if native.source.ends_with(".c") {
            "cc"
        } else {
            "c++"
        };
        let target = format!("{}-linux-musl", std::env::consts::ARCH);
        let mut args = strings(&[verb, "-target", &target]);
        // The language standard is that of C; C++ has its own default.
        let skipped = usize::from(verb == "c++");
        args.extend(strings(&C_FLAGS[skipped..]));
        args.extend(native.flags.iter().cloned());
        args.push(source.to_string_lossy().into_owned());
        args.push("-o".to_owned());
        args.push(to.to_string_lossy().into_owned());
        Invocation::new(&self.compiler, args)
    }
}

/// The flags that the corpus' C modules are built with, warnings apart.
const C_FLAGS: [&str; 4] = ["-std=gnu23", "-O2", "-s", "-ffp-contract=off"];

fn is_rust(native: &Native) -> bool {
    native.source.ends_with(".rs")
}

/// The files in the folder of a file, in order of their names, and the file itself.
fn files_beside(path: &Path) -> Vec<PathBuf> {
    let header = |p: &PathBuf| p.extension().is_some_and(|e| e == "h" || e == "inc");
    let folder = path.parent().and_then(|dir| std::fs::read_dir(dir).ok());
    let mut files: Vec<PathBuf> = folder
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(header)
        .collect();
    files.push(path.to_owned());
    files.sort();
    files
}

impl Adapter for NativeTwin {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn unsupported(&self, workload: &Workload) -> Option<String> {
        let none = workload.native.is_none();
        none.then(|| "the workload has no native twin".to_owned())
    }

    fn warms_up(&self) -> bool {
        false
    }

    fn run(&self, job: &Job<'_>, args: &[String]) -> Invocation {
        Invocation::new(self.binary(job.workload), args.to_vec())
    }

    fn compile(&self, _: &Job<'_>) -> Option<Compile> {
        None
    }

    fn run_with_phases(&self, _: &Job<'_>, _: &[String]) -> Option<Invocation> {
        None
    }

    fn code_bytes(&self, job: &Job<'_>) -> Option<u64> {
        elf_text_bytes(&std::fs::read(self.binary(job.workload)).ok()?)
    }

    fn prepare(&self, job: &Job<'_>, executor: &mut dyn Executor) -> Measured<()> {
        let Some(native) = &job.workload.native else {
            return Ok(());
        };
        let binary = self.binary(job.workload);
        if binary.is_file() && !is_rust(native) {
            return Ok(());
        }
        std::fs::create_dir_all(&self.dir)?;
        let temporary = binary.with_extension("tmp");
        let build = self
            .build(native, &temporary)
            .timeout(Duration::from_secs(300));
        let outcome = executor.run(&build)?;
        if outcome.exit != Exit::Code(0) {
            let why = format!("its build failed: {}", first_line(&outcome));
            return Err(CellStatus::Crash(why).into());
        }
        if !is_rust(native) {
            std::fs::rename(&temporary, &binary)?;
        }
        Ok(())
    }
}
