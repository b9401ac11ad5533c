//! zwasm itself and other builds of it, one adapter per tier.
//!
//! `zwasm run --tier T FILE ARGS…`; phases come from `--stats=json`, the metric *compile* from a run
//! that does no work with `--eager`.

use super::command_line::strings;
use super::{CommandLine, Found, Setting, missing};
use crate::builds::Build;
use crate::exec::{Exit, Invocation, first_line};
use crate::fail::Fail;
use crate::provision::sha256_of_file;
use anyhow::Result;
use std::time::Duration;
use zwasm_reports::schema::{EngineInfo, EngineKind};

/// Of this build, or as a peer of the same tier of another one.
pub(super) fn find(tier: &str, build: Option<&Build>, setting: &mut Setting<'_>) -> Result<Found> {
    let (id, kind, title) = match build {
        None => (
            tier.to_owned(),
            EngineKind::Tier,
            format!("zwasm, tier {tier}"),
        ),
        Some(build) => (
            format!("{tier}@{}", build.label),
            EngineKind::Peer,
            format!("zwasm, tier {tier}, {}", build.title),
        ),
    };
    let program = build.map_or(&setting.zwasm, |build| &build.program).clone();
    if !program.is_file() {
        return Err(Fail::error(format!(
            "there is no {}; build it with `cargo build --release -p zwasm-cli`, or name one with \
             --zwasm PATH",
            program.display()
        )));
    }
    let version = setting.executor.run(
        &Invocation::new(&program, strings(&["--version"])).timeout(Duration::from_secs(10)),
    )?;
    let line = first_line(&version);
    if version.exit != Exit::Code(0) || !line.starts_with("zwasm") {
        return Err(Fail::error(format!(
            "{} is not zwasm: `--version` printed {line:?}",
            program.display()
        )));
    }
    let module = setting.empty_module.to_string_lossy().into_owned();
    let probe = setting.executor.run(
        &Invocation::new(&program, strings(&["run", "--tier", tier, &module]))
            .timeout(Duration::from_secs(10)),
    )?;
    if probe.exit != Exit::Code(0) {
        let why = first_line(&probe);
        let why = if why.is_empty() {
            format!("a probe ended with {:?}", probe.exit)
        } else {
            why
        };
        return Ok(missing(&id, kind, &title, why));
    }
    let info = EngineInfo {
        version: line,
        sha256: sha256_of_file(&program)?,
        counterpart: build.map(|_| tier.to_owned()),
        ..EngineInfo::new(&id, kind, &title)
    };
    let mut engine = CommandLine::new(
        info,
        program,
        &["run", "--tier", tier, "{module}", "{args}"],
    );
    engine.run_with_phases = Some(strings(&[
        "run",
        "--tier",
        tier,
        "--stats=json",
        "{module}",
        "{args}",
    ]));
    engine.warms_up = tier == "auto";
    engine.job = Some(strings(&["run", "--tier", tier, "{job}"]));
    let compile = [
        "compile", "--json", "--repeat", "1", "--tier", tier, "{module}",
    ];
    engine.job_compile = Some((strings(&compile), true));
    if tier != "interp" {
        let words = [
            "run",
            "--tier",
            tier,
            "--eager",
            "--stats=json",
            "{module}",
            "{args}",
        ];
        engine.eager = Some(strings(&words));
    }
    engine.empty_module.clone_from(&setting.empty_module);
    Ok(engine.ready("the engine's defaults; the tier is what is measured"))
}
