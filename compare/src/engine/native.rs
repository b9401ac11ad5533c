//! Native twins: the same source, built for this machine by the compiler that built the module.
//!
//! A twin is a peer like any other, except that it is one binary per workload, built on first use
//! and kept under a name that holds the checksum of its source and flags.

use super::{Adapter, Compile, Found, Job, Setting, elf_text_bytes, first_line, missing};
use crate::exec::{Executor, Exit, Invocation};
use crate::provision::{Claim, Had, PipPackage, sha256_of, sha256_of_file};
use anyhow::Result;
use std::path::PathBuf;
use std::time::Duration;
use zwasm_reports::schema::{EngineInfo, EngineKind};
use zwasm_workloads::Workload;

const PACKAGE: PipPackage = PipPackage {
    peer: "zig",
    package: "ziglang",
    version: "0.17.1",
    binary: "ziglang/zig",
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
            id: "native".to_owned(),
            kind: EngineKind::Peer,
            title: title.to_owned(),
            version: format!("built by zig cc {}", claim.version),
            sha256: claim.sha256,
            missing: None,
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
        let source = sha256_of_file(&self.corpus_dir.join(&native.source)).unwrap_or_default();
        let key = sha256_of(format!("{source} {:?} {}", native.flags, self.info.sha256).as_bytes());
        self.dir.join(format!("{}-{}", workload.id, &key[..16]))
    }
}

impl Adapter for NativeTwin {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn unsupported(&self, workload: &Workload) -> Option<String> {
        let Some(native) = &workload.native else {
            return Some("the workload has no native twin".to_owned());
        };
        let c = [".c", ".cc", ".cpp"]
            .iter()
            .any(|e| native.source.ends_with(e));
        (!c).then(|| format!("no native build for {}", native.source))
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

    fn prepare(&self, job: &Job<'_>, executor: &mut dyn Executor) -> Result<Option<String>> {
        let Some(native) = &job.workload.native else {
            return Ok(None);
        };
        let binary = self.binary(job.workload);
        if binary.is_file() {
            return Ok(None);
        }
        std::fs::create_dir_all(&self.dir)?;
        let target = format!("{}-linux-musl", std::env::consts::ARCH);
        let verb = if native.source.ends_with(".c") {
            "cc"
        } else {
            "c++"
        };
        let temporary = binary.with_extension("tmp");
        let mut args = vec![verb.to_owned(), "-target".to_owned(), target];
        args.extend(native.flags.iter().cloned());
        args.push(
            self.corpus_dir
                .join(&native.source)
                .to_string_lossy()
                .into_owned(),
        );
        args.push("-o".to_owned());
        args.push(temporary.to_string_lossy().into_owned());
        args.push("-lm".to_owned());
        let outcome = executor
            .run(&Invocation::new(&self.compiler, args).timeout(Duration::from_secs(300)))?;
        if outcome.exit != Exit::Code(0) {
            return Ok(Some(format!("its build failed: {}", first_line(&outcome))));
        }
        std::fs::rename(&temporary, &binary)?;
        Ok(None)
    }
}
