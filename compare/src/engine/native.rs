//! Native twins: the same source, built for this machine by the compiler that built the module, at the levels of
//! the modules (C at 2, Rust at 3) or at one for both.
//!
//! A twin is a peer like any other, except that it is one binary per workload. C and C++ twins are
//! built on first use and kept under a name that holds the checksum of their sources and flags;
//! Rust twins are built by cargo, which knows itself what is up to date.

use super::command_line::strings;
use super::{Adapter, Compile, Found, Job, Setting, compiler, elf_text_bytes, missing};
use crate::exec::{Executor, Exit, Invocation, first_line};
use crate::fail::Measured;
use crate::provision::{Claim, Had, sha256_of, sha256_of_file};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zwasm_reports::schema::{CellStatus, EngineInfo, EngineKind};
use zwasm_workloads::{Native, Workload};

/// How far each language is optimised, as `-O` has it.
#[derive(Clone, Copy)]
struct Levels {
    c: &'static str,
    rust: &'static str,
}

impl Levels {
    fn of(peer: &str) -> Levels {
        let (c, rust) = match peer {
            "native-o2" => ("2", "2"),
            "native-o3" => ("3", "3"),
            _ => ("2", "3"),
        };
        Levels { c, rust }
    }
}

struct NativeTwin {
    info: EngineInfo,
    levels: Levels,
    compiler: PathBuf,
    dir: PathBuf,
    corpus_dir: PathBuf,
}

pub(super) fn find(name: &str, setting: &mut Setting<'_>) -> Result<Found> {
    let levels = Levels::of(name);
    let Levels { c, rust } = levels;
    let title = if c == rust {
        format!("native twin (LLVM -O{c})")
    } else {
        format!("native twin (LLVM -O{c}, Rust -O{rust})")
    };
    let compiler = match compiler::find(setting)? {
        Had::Missing(why) => return Ok(missing(name, EngineKind::Peer, &title, why)),
        Had::Binary(program) => program,
    };
    let claim = Claim::identify(&compiler, &["version"], "0.17", setting.executor)?;
    Ok(Found::Ready(Box::new(NativeTwin {
        info: EngineInfo {
            version: format!("built by zig cc {}", claim.version),
            sha256: claim.sha256,
            flags: format!(
                "cc {}; cargo build --release with opt-level={rust}",
                c_flags(c).join(" ")
            ),
            chosen: if c == rust {
                "those of the modules, but for one level for both languages: chosen by zwasm's developers"
            } else {
                "those of the modules: chosen by zwasm's developers"
            }
            .to_owned(),
            ..EngineInfo::new(name, EngineKind::Peer, &title)
        },
        levels,
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
            return self.rust_dir().join("release").join(stem);
        }
        let flags = c_flags(self.levels.c);
        let mut key = format!("{flags:?} {:?} {}", native.flags, self.info.sha256);
        for path in with_includes(source) {
            key.push_str(&sha256_of_file(&path).unwrap_or_default());
        }
        let key = &sha256_of(key.as_bytes())[..16];
        self.dir.join(format!("{}-{key}", workload.id))
    }

    /// Where cargo builds twins of this level.
    fn rust_dir(&self) -> PathBuf {
        self.dir.join(format!("rust-o{}", self.levels.rust))
    }

    /// The command that builds a twin into a path.
    fn build(&self, native: &Native, to: &Path) -> Invocation {
        let source = self.corpus_dir.join(&native.source);
        if is_rust(native) {
            let stem = source.file_stem().unwrap_or_default().to_string_lossy();
            let manifest = source
                .ancestors()
                .flat_map(|dir| ["src-rust/Cargo.toml", "Cargo.toml"].map(|file| dir.join(file)))
                .find(|file| file.is_file())
                .unwrap_or_default();
            let mut args = strings(&["build", "--release", "--quiet", "--bin", &stem]);
            args.push("--manifest-path".to_owned());
            args.push(manifest.to_string_lossy().into_owned());
            args.push("--target-dir".to_owned());
            args.push(self.rust_dir().to_string_lossy().into_owned());
            let mut build = Invocation::new("cargo", args);
            let level = "CARGO_PROFILE_RELEASE_OPT_LEVEL";
            build.env = vec![(level.to_owned(), self.levels.rust.to_owned())];
            return build;
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
        args.extend(c_flags(self.levels.c).split_off(skipped));
        args.extend(native.flags.iter().cloned());
        args.push(source.to_string_lossy().into_owned());
        args.push("-o".to_owned());
        args.push(to.to_string_lossy().into_owned());
        Invocation::new(&self.compiler, args)
    }
}

/// The flags that the corpus' C modules are built with, warnings apart, at this level.
fn c_flags(level: &str) -> Vec<String> {
    let optimised = format!("-O{level}");
    strings(&["-std=gnu23", &optimised, "-s", "-ffp-contract=off"])
}

fn is_rust(native: &Native) -> bool {
    native.source.ends_with(".rs")
}

/// A C source and all files that it includes by a relative path, each once.
fn with_includes(source: PathBuf) -> Vec<PathBuf> {
    let mut files = vec![source];
    let mut at = 0;
    while let Some(file) = files.get(at).cloned() {
        at += 1;
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        for line in text.lines() {
            let include = line.trim_start().strip_prefix("#include \"");
            let Some((name, _)) = include.and_then(|rest| rest.split_once('"')) else {
                continue;
            };
            let path = file.with_file_name(name);
            if path.is_file() && !files.contains(&path) {
                files.push(path);
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::with_includes;
    use std::path::Path;

    #[test]
    fn a_twin_depends_on_all_that_its_source_includes() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../workloads");
        let files = with_includes(corpus.join("polybench/src/gemm.c"));
        let names: Vec<_> = files.iter().filter_map(|f| f.file_name()).collect();
        assert_eq!(names, ["gemm.c", "polybench.h", "bench.h"]);
        assert_eq!(with_includes("no/such.c".into()).len(), 1);
    }
}
