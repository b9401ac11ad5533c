//! Generated modules and damaged ones: nothing may panic, abort, hang or allocate without bound.
//!
//! The same seeds every time; `fuzz/` looks further. `ZWASM_ROBUST_ROUNDS=n` multiplies the rounds,
//! by a fraction under emulators.

mod drive;

use arbitrary::Unstructured;
use drive::{Reached, drive};
use std::panic::catch_unwind;
use std::time::{Duration, Instant};
use wasm_smith::Config;

/// A small deterministic generator (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

fn rounds(usual: u64) -> u64 {
    let factor = std::env::var("ZWASM_ROBUST_ROUNDS");
    let factor = factor.map_or(1.0, |n| n.parse::<f64>().expect("a number"));
    (usual as f64 * factor) as u64
}

/// A valid module made from a seed, of features that zwasm has.
fn generate(seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let noise: Vec<u8> = (0..4096).map(|_| random.next() as u8).collect();
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
        max_funcs: 20,
        min_funcs: 3,
        max_instructions: 300,
        max_imports: 6,
        max_table_elements: 1000,
        ..Config::default()
    };
    wasm_smith::Module::new(config, &mut Unstructured::new(&noise))
        .expect("enough noise")
        .to_bytes()
}

/// Who takes longer does not end: it would be thousands of times too long, busy machines and emulators included.
const PATIENCE: Duration = Duration::from_secs(300);

/// Drives one module; the seed is in the message when it goes wrong.
fn check(what: &str, seed: u64, bytes: &[u8]) -> Reached {
    let begun = Instant::now();
    let reached = catch_unwind(|| drive(bytes)).unwrap_or_else(|_| {
        let path = std::env::temp_dir().join(format!("zwasm-{what}-{seed}.wasm"));
        let _ = std::fs::write(&path, bytes);
        panic!(
            "{what}, seed {seed}: a panic; the module is in {}",
            path.display()
        )
    });
    let took = begun.elapsed();
    assert!(took < PATIENCE, "{what}, seed {seed}: {took:?}");
    reached
}

#[test]
fn generated_modules() {
    let (mut instantiated, mut returned, mut failed) = (0, 0, 0);
    let count = rounds(400);
    for seed in 0..count {
        let reached = check("generated", seed, &generate(seed));
        assert!(reached.valid, "seed {seed}: a valid module was refused");
        instantiated += u64::from(reached.instantiated);
        returned += reached.calls_returned;
        failed += reached.calls_failed;
    }
    println!(
        "{count} modules, {instantiated} instantiated, {returned} calls returned, {failed} failed"
    );
    assert!(
        instantiated > count / 4,
        "only {instantiated} of {count} ran at all"
    );
    assert!(returned > 0 && failed > 0);
}

const SEEDS: &[&[u8]] = &[
    include_bytes!("../../../../workloads/wasm/exceptions.wasm"),
    include_bytes!("../../../../workloads/wasm/br-table.wasm"),
    include_bytes!("../../../../workloads/wasm/tail-states.wasm"),
    include_bytes!("../../../../workloads/wasm/multi-memory.wasm"),
    include_bytes!("../../../../workloads/wasm/memory64-stride.wasm"),
    include_bytes!("../../../../workloads/wasm/bulk-memory.wasm"),
    include_bytes!("../../../../workloads/wasm/matmul.wasm"),
];

#[test]
fn damaged_modules() {
    let mut valid = 0;
    let count = rounds(6000);
    for seed in 0..count {
        let mut random = Random(seed ^ 0x5eed);
        let original = if random.below(4) == 0 {
            generate(seed % 50)
        } else {
            SEEDS[random.below(SEEDS.len())].to_vec()
        };
        let mut bytes = original;
        match random.below(4) {
            // Bits flipped, most often one.
            0 | 1 => {
                for _ in 0..=random.below(4) {
                    let at = random.below(bytes.len());
                    bytes[at] ^= 1 << random.below(8);
                }
            }
            2 => bytes.truncate(random.below(bytes.len())),
            // A piece of another module in place of one of this.
            _ => {
                let other = SEEDS[random.below(SEEDS.len())];
                let from = random.below(other.len());
                let piece = &other[from..(from + random.below(40)).min(other.len())];
                let at = random.below(bytes.len());
                let end = (at + random.below(40)).min(bytes.len());
                bytes.splice(at..end, piece.iter().copied());
            }
        }
        valid += u64::from(check("damaged", seed, &bytes).valid);
    }
    println!("{count} damaged modules, {valid} of them still valid");
    assert!(valid > 0);
}

/// Sections that promise much and hold nothing.
#[test]
fn large_counts_in_short_files() {
    for section in 0..16 {
        for count in [
            &[0xff, 0xff, 0xff, 0xff, 0x0f][..],
            &[0x80, 0x80, 0x80, 0x01],
            &[0xc0, 0x84, 0x3d],
        ] {
            let mut bytes = b"\0asm\x01\0\0\0".to_vec();
            bytes.push(section);
            bytes.push(count.len() as u8);
            bytes.extend_from_slice(count);
            check("counts", u64::from(section), &bytes);
            // The same, with a section length that promises as much.
            bytes.truncate(9);
            bytes.extend_from_slice(count);
            bytes.extend_from_slice(count);
            check("lengths", u64::from(section), &bytes);
        }
    }
    // A function with four thousand million locals.
    let many_locals = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x0a\x01\x08\x01\xff\xff\xff\xff\x0f\x7e\x0b";
    check("locals", 0, many_locals);
    // As many as validation allows, called.
    let most_locals = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x07\x05\x01\x01f\0\0\x0a\x08\x01\x06\x01\xd0\x86\x03\x7b\x0b";
    let reached = check("locals", 1, most_locals);
    assert!(reached.valid && reached.calls_failed == 1, "{reached:?}");
}

/// Nesting as deep as a file of this size can have it.
#[test]
fn deep_nesting() {
    for depth in [1_000, 100_000] {
        let mut body = vec![0];
        for _ in 0..depth {
            body.extend_from_slice(&[0x02, 0x40]);
        }
        body.extend(std::iter::repeat_n(0x0b, depth + 1));
        let mut code = vec![1];
        leb(&mut code, body.len());
        code.extend_from_slice(&body);
        let mut bytes =
            b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x07\x05\x01\x01f\0\0\x0a".to_vec();
        leb(&mut bytes, code.len());
        bytes.extend_from_slice(&code);
        let reached = check("nesting", depth as u64, &bytes);
        // Blocks cost fuel.
        assert!(reached.valid, "{reached:?}");
        assert_eq!(reached.calls_returned, usize::from(depth == 1_000));
    }
    let text = "(".repeat(200_000);
    check("parentheses", 0, text.as_bytes());
    let text = format!("(module (func {}", "(block ".repeat(100_000));
    check("blocks", 0, text.as_bytes());
}

fn leb(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
