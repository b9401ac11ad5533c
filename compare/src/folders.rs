//! Folders that everything else knows: the checkout, the build folder.

use std::path::{Path, PathBuf};

/// The root of the checkout that this binary was built from.
pub(crate) fn checkout() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// The build folder that this binary lies in (`target`, however it is called).
pub(crate) fn build_dir() -> PathBuf {
    std::env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.parent()?.to_owned()))
        .unwrap_or_else(|| PathBuf::from("target"))
}

/// For files that a run needs while it lasts.
pub(crate) fn scratch_dir() -> PathBuf {
    build_dir().join("compare").join("scratch")
}
