//! Modules of wasm-smith: every feature, wild shapes.

use arbitrary::Unstructured;
use fastrand::Rng;
use wasm_smith::{Config, Module};

/// Calls and loop iterations that a module has.
const FUEL: u32 = 1_000;

/// A module that ends; its NaNs are canonical wherever their bits can be seen.
pub fn generate(rng: &mut Rng) -> Vec<u8> {
    let config = Config {
        gc_enabled: false,
        threads_enabled: false,
        shared_everything_threads_enabled: false,
        custom_descriptors_enabled: false,
        compact_imports_enabled: false,
        canonicalize_nans: true,
        allow_floats: rng.u8(..4) != 0,
        custom_page_sizes_enabled: rng.u8(..8) == 0,
        simd_enabled: rng.bool(),
        // Its NaNs would not be canonical.
        relaxed_simd_enabled: false,
        memory64_enabled: rng.bool(),
        exceptions_enabled: rng.bool(),
        tail_call_enabled: rng.bool(),
        reference_types_enabled: rng.u8(..4) != 0,
        disallow_traps: rng.u8(..4) == 0,
        export_everything: true,
        max_memories: rng.usize(1..=3),
        max_memory32_bytes: 4 << 16,
        max_memory64_bytes: 4 << 16,
        max_tables: rng.usize(1..=3),
        max_table_elements: 100,
        min_funcs: 1,
        max_funcs: 6,
        max_types: 12,
        max_globals: 8,
        max_imports: 4,
        max_tags: 3,
        max_data_segments: 4,
        max_element_segments: 4,
        max_elements: 10,
        max_values: 12,
        max_instructions: [30, 100, 300][rng.usize(..3)],
        ..Config::default()
    };
    let noise: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(3000).collect();
    let mut module =
        Module::new(config, &mut Unstructured::new(&noise)).expect("there is enough noise");
    module
        .ensure_termination(FUEL)
        .expect("bodies are generated, not arbitrary");
    module.to_bytes()
}
