//! Generated modules, validated, instantiated and run.
#![no_main]

#[path = "../../runtime/vm/tests/robust/drive.rs"]
mod drive;

use arbitrary::Unstructured;
use wasm_smith::Config;

libfuzzer_sys::fuzz_target!(|noise: &[u8]| {
    let config = Config {
        gc_enabled: false,
        threads_enabled: false,
        shared_everything_threads_enabled: false,
        custom_descriptors_enabled: false,
        compact_imports_enabled: false,
        custom_page_sizes_enabled: true,
        export_everything: true,
        max_memories: 3,
        max_tables: 3,
        max_instructions: 500,
        max_table_elements: 1000,
        ..Config::default()
    };
    let Ok(module) = wasm_smith::Module::new(config, &mut Unstructured::new(noise)) else {
        return;
    };
    let bytes = module.to_bytes();
    assert!(drive::drive(&bytes).valid, "a valid module was refused");
});
