//! The C compiler that native twins and peers from sources are built with: zig's clang, the same LLVM that the
//! corpus' C modules come from.

use super::Setting;
use crate::provision::{Had, PipPackage};
use anyhow::Result;

const PACKAGE: PipPackage = PipPackage {
    peer: "zig",
    package: "ziglang",
    version: "0.17.1",
    binary: "ziglang/zig",
    platform: None,
};

pub(super) fn find(setting: &mut Setting<'_>) -> Result<Had> {
    setting.provisioner.pip(&PACKAGE, setting.executor)
}
