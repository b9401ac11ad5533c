//! Peers that a user defines in a TOML file (`--peers FILE`).
//!
//! ```toml
//! [[peer]]
//! name = "wamr"                       # how --against names it
//! program = "iwasm"                   # a path, or a name on PATH
//! run = ["{module}", "{args}"]        # {features} inserts the flags below
//! version = ["--version"]             # optional; this is the default
//! expect_version = "iwasm 2."         # optional; another program behind the name is an error
//! compile = ["-o", "{out}", "{module}"]   # optional: compiles the whole module
//! lacks = ["memory64"]                # optional: features it does not have
//! env = { SOME_VARIABLE = "1" }       # optional
//! [peer.feature_flags]                # optional: flags per feature of a workload
//! tail-call = ["--enable-tail-call"]
//! ```

use super::{CommandLine, Found, PEERS, Setting, missing};
use crate::fail::Fail;
use crate::provision::{Claim, on_path};
use anyhow::Result;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use zwasm_reports::schema::{EngineInfo, EngineKind};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PeersFile {
    peer: Vec<UserPeer>,
}

/// One `[[peer]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserPeer {
    pub(crate) name: String,
    program: String,
    run: Vec<String>,
    #[serde(default = "default_version")]
    version: Vec<String>,
    #[serde(default)]
    expect_version: String,
    compile: Option<Vec<String>>,
    #[serde(default)]
    lacks: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    feature_flags: BTreeMap<String, Vec<String>>,
}

fn default_version() -> Vec<String> {
    vec!["--version".to_owned()]
}

/// Reads the user's file.
///
/// # Errors
/// One line: unreadable, not of this shape, or a name that is taken.
pub(crate) fn load(path: &Path) -> Result<Vec<UserPeer>> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|e| Fail::usage(format!("{name}: {e}")))?;
    let file: PeersFile = toml::from_str(&text).map_err(|e| {
        let line = e.message().lines().next().unwrap_or_default().to_owned();
        Fail::usage(format!("{name}: not a peers file: {line}"))
    })?;
    for (i, peer) in file.peer.iter().enumerate() {
        let taken = PEERS.contains(&peer.name.as_str())
            || file.peer[..i].iter().any(|p| p.name == peer.name);
        if taken {
            return Err(Fail::usage(format!(
                "{name}: the name `{}` is taken",
                peer.name
            )));
        }
        if !peer.run.iter().any(|part| part.contains("{module}")) {
            return Err(Fail::usage(format!(
                "{name}: `run` of peer `{}` names no {{module}}",
                peer.name
            )));
        }
    }
    Ok(file.peer)
}

pub(super) fn find(peer: &UserPeer, setting: &mut Setting<'_>) -> Result<Found> {
    // Without its folder: results are published, and paths of one machine mean nothing elsewhere.
    let file_name = Path::new(&peer.program).file_name().unwrap_or_default();
    let title = format!("{} (user-defined)", file_name.to_string_lossy());
    let Some(program) = on_path(&peer.program) else {
        let why = format!("there is no program {}", peer.program);
        return Ok(missing(&peer.name, EngineKind::Peer, &title, why));
    };
    let version: Vec<&str> = peer.version.iter().map(String::as_str).collect();
    let claim = Claim::identify(&program, &version, &peer.expect_version, setting.executor)?;
    let info = EngineInfo {
        version: claim.version,
        sha256: claim.sha256,
        ..EngineInfo::new(&peer.name, EngineKind::Peer, &title)
    };
    let mut engine = CommandLine::new(info, program, &[]);
    engine.run.clone_from(&peer.run);
    engine.compile.clone_from(&peer.compile);
    engine.feature_flags.clone_from(&peer.feature_flags);
    engine.lacks.clone_from(&peer.lacks);
    engine.env = peer.env.clone().into_iter().collect();
    engine.empty_module.clone_from(&setting.empty_module);
    Ok(engine.ready("whoever wrote the file of --peers"))
}
