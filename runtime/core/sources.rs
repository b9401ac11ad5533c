// Part of the build scripts of the crates that decide what machine code is like: gives the crate
// `ZWASM_SOURCES`, a number of its own sources as sixteen hexadecimal digits. Code that was kept by one
// build is not run by another. The crates share this file by links, which become files when one is
// published.

/// Tells the compiler the number, and cargo to look again when a source has changed.
fn name_sources() {
    let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut hash = 0xcbf2_9ce4_8422_2325;
    add_folder(&sources, &mut hash);
    println!("cargo::rustc-env=ZWASM_SOURCES={hash:016x}");
    println!("cargo::rerun-if-changed=src");
}

/// Adds names and contents of all files, in an order of their own (FNV-1a: against accidents).
fn add_folder(folder: &std::path::Path, hash: &mut u64) {
    let entries = std::fs::read_dir(folder).expect("a crate has its sources");
    let mut entries: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    entries.sort();
    for entry in entries {
        let name = entry.file_name().unwrap_or_default();
        let mut add = |bytes: &[u8]| {
            for &byte in (bytes.len() as u64).to_le_bytes().iter().chain(bytes) {
                *hash = (*hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        };
        add(name.as_encoded_bytes());
        if entry.is_dir() {
            add_folder(&entry, hash);
        } else {
            add(&std::fs::read(&entry).expect("readable"));
        }
    }
}
