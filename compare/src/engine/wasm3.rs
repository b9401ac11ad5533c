//! wasm3, the interpreter peer whose sources a Python package ships: built here, with a command of ours
//! around it (`wasm3/main.c`), since the package has none.
//!
//! The package is of the last release, of 2021. What it lacks is what WebAssembly has got since then but
//! bulk copies; a module that it cannot run ends with an error before its first iteration.

use super::command_line::strings;
use super::{CommandLine, Found, Setting, compiler, missing};
use crate::exec::Invocation;
use crate::provision::{Claim, Had, sha256_of};
use anyhow::Result;
use std::path::Path;
use zwasm_reports::schema::{EngineInfo, EngineKind, write_whole};

const VERSION: &str = "0.5.0";

/// The package as pip reads it, with the checksum that it verifies.
const REQUIREMENT: &str = "pywasm3==0.5.0 --hash=sha256:5a47c8a39f7f6ae71b3316b2e5d86c9d0db6e771a65f09a86e4d4aa3a19aefcc\n";

/// `main`, and the WASI calls.
const MAIN: &str = include_str!("wasm3/main.c");

/// The library's sources, but for the one that ours includes.
const SOURCES: [&str; 10] = [
    "bind", "code", "core", "emit", "env", "exec", "function", "info", "module", "parse",
];

/// Optimised as the package's own build does, which passes flags for debugging besides.
const FLAGS: [&str; 7] = [
    "-std=gnu11",
    "-O3",
    "-s",
    "-fomit-frame-pointer",
    "-fno-stack-check",
    "-fno-stack-protector",
    "-DNDEBUG",
];

pub(super) fn find(setting: &mut Setting<'_>) -> Result<Found> {
    let title = "wasm3 (interpreter)";
    let missed = |why| Ok(missing("wasm3", EngineKind::Peer, title, why));
    let compiler = match compiler::find(setting)? {
        Had::Missing(why) => return missed(why),
        Had::Binary(program) => program,
    };
    // Another command of ours is another program.
    let version = format!("{VERSION}-{}", &sha256_of(MAIN.as_bytes())[..8]);
    let what = format!("Python package pywasm3 {VERSION}, built with zig cc");
    let had =
        setting
            .provisioner
            .have("wasm3", &version, "wasm3", &what, setting.executor, |to| {
                steps(to, &compiler)
            })?;
    let program = match had {
        Had::Missing(why) => return missed(why),
        Had::Binary(program) => program,
    };
    let claim = Claim::identify(&program, &["--version"], "wasm3 0.5.", setting.executor)?;
    let info = EngineInfo {
        version: claim.version,
        sha256: claim.sha256,
        ..EngineInfo::new("wasm3", EngineKind::Peer, title)
    };
    let mut engine = CommandLine::new(info, program, &["{module}", "{args}"]);
    engine.warms_up = false;
    engine.reads_text = false;
    engine.lacks = strings(&[
        "simd",
        "relaxed-simd",
        "exceptions",
        "memory64",
        "multi-memory",
        "custom-page-sizes",
        "wide-arithmetic",
    ]);
    let flags = FLAGS.join(" ");
    Ok(engine.ready(&format!(
        "built with {flags}: optimised as by its package, without that one's flags for debugging; the command \
         around it, which makes the WASI calls and lets it read the padded numbers that linkers write, is by \
         zwasm's developers"
    )))
}

/// Fetches the sources, unpacks them and builds the command.
fn steps(to: &Path, compiler: &Path) -> Result<Vec<Invocation>> {
    std::fs::create_dir_all(to)?;
    let requirements = to.join("requirements.txt");
    write_whole(&requirements, REQUIREMENT.as_bytes())?;
    let main = to.join("main.c");
    write_whole(&main, MAIN.as_bytes())?;
    let text = |path: &Path| path.to_string_lossy().into_owned();

    let mut download = strings(&["-m", "pip", "download", "--quiet", "--no-deps"]);
    download.extend(strings(&[
        "--no-binary=:all:",
        "--require-hashes",
        "--dest",
    ]));
    download.extend([text(to), "--requirement".to_owned(), text(&requirements)]);

    let name = format!("pywasm3-{VERSION}");
    let archive = to.join(format!("{name}.tar.gz"));
    let mut unpack = strings(&["-m", "tarfile", "--extract"]);
    unpack.extend([text(&archive), text(to)]);

    let library = to.join(name).join("wasm3");
    let mut build = strings(&["cc"]);
    build.extend(strings(&FLAGS));
    build.extend([format!("-I{}", text(&library)), text(&main)]);
    let sources = SOURCES.map(|source| library.join(format!("m3_{source}.c")));
    build.extend(sources.iter().map(|path| text(path)));
    build.extend(["-o".to_owned(), text(&to.join("wasm3"))]);

    Ok(vec![
        Invocation::new("python3", download),
        Invocation::new("python3", unpack),
        Invocation::new(compiler, build),
    ])
}
