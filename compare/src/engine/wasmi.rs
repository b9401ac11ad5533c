//! wasmi, the interpreter peer, from its own command-line crate.

use super::{CommandLine, Found, Setting, missing};
use crate::provision::{CargoPackage, Claim, Had};
use anyhow::Result;
use zwasm_reports::schema::{EngineInfo, EngineKind};

const PACKAGE: CargoPackage = CargoPackage {
    peer: "wasmi",
    package: "wasmi_cli",
    version: "2.0.0",
    binary: "bin/wasmi",
    features: "",
};

pub(super) fn find(setting: &mut Setting<'_>) -> Result<Found> {
    let title = "wasmi (interpreter)";
    let program = match setting.provisioner.cargo(&PACKAGE, setting.executor)? {
        Had::Missing(why) => return Ok(missing("wasmi", EngineKind::Peer, title, why)),
        Had::Binary(program) => program,
    };
    let claim = Claim::identify(&program, &["--version"], "wasmi 2.", setting.executor)?;
    let info = EngineInfo {
        version: claim.version,
        sha256: claim.sha256,
        ..EngineInfo::new("wasmi", EngineKind::Peer, title)
    };
    let mut engine = CommandLine::new(info, program, &["run", "{module}", "{args}"]);
    engine.warms_up = false;
    Ok(engine.ready("the engine's defaults"))
}
