//! Arbitrary bytes as a module; what is valid is driven too.
#![no_main]

#[path = "../../runtime/vm/tests/robust/drive.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    drive::drive(bytes);
});
