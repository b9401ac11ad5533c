//! Worlds: several modules that import each other's functions, tables, memories, globals and tags.
//!
//! Module *i* is instantiated as `wi` and may import what the ones before it export, which are their
//! own imports too, and functions and globals of the host. All put their functions into one table,
//! so that calls go in every direction; signatures are agreed on, so that tail calls find callees
//! with few and with many parameters. A share of the worlds has memories of 4 GiB, or a ring of
//! modules that recurse until the stack ends ([`super::recursion`]).

use super::{Event, GROWN_PAGES, Origin, Place, Shape, Signature, finish, recursion, small_memory};
use fastrand::Rng;
use wasm_encoder::{MemoryType, ValType};

/// The exported global that tells instances apart.
pub const ID: &str = "id";

/// The host's functions: see `crate::host`.
pub const HOST_FUNCTIONS: [&str; 4] = ["f", "look", "act", "act"];

/// What was decided about a world before it is made.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Whether it has memories of 4 GiB and more.
    pub is_vast: bool,
}

impl Plan {
    /// Chooses one.
    pub fn choose(rng: &mut Rng) -> Plan {
        Plan {
            is_vast: rng.u8(..4) == 0,
        }
    }
}

/// The modules of a world, in the order of their instances.
pub fn generate(rng: &mut Rng, plan: Plan) -> Vec<Vec<u8>> {
    let (vectors, references) = (rng.bool(), rng.u8(..4) == 0);
    let signatures = agree(rng, &Shape::new(vectors, references));
    let mut shapes: Vec<Shape> = Vec::new();
    let mut slots: Vec<(Signature, bool)> = Vec::new();
    for id in 0..rng.u32(2..=4) {
        let mut shape = Shape::new(vectors, references);
        outline(rng, &mut shape, &shapes, &signatures, plan);
        let place = Place {
            id,
            slots: Vec::new(),
            first_slot: slots.len() as u32,
            references: Vec::new(),
            referred: Vec::new(),
        };
        refer(rng, &mut shape, &shapes, place);
        let signatures = (0..shape.funcs.len()).map(|func| {
            let signature = shape.signature(func as u32).clone();
            (signature, shape.is_host[func])
        });
        slots.extend(signatures);
        shapes.push(shape);
    }
    for shape in &mut shapes {
        shape.table_size = slots.len() as u32 + 2;
        let slots = slots.iter().map(|(signature, is_host)| {
            let ty = shape.type_index(signature.clone());
            (ty, *is_host)
        });
        let slots = slots.collect();
        shape.place.as_mut().expect("it is of a world").slots = slots;
    }
    let mut modules: Vec<Vec<u8>> = shapes.iter_mut().map(|shape| finish(rng, shape)).collect();
    if rng.u8(..4) == 0 {
        let first = modules.len();
        modules.extend(recursion::generate(rng, vectors, first));
    }
    modules
}

/// The signatures that functions have: two kinds of results, few and many parameters.
fn agree(rng: &mut Rng, shape: &Shape) -> Vec<Signature> {
    let mut signatures = Vec::new();
    for most in [1, 4] {
        let results = shape.random_types(rng, most);
        for most in [0, 3, 10, 24] {
            let params = shape.random_types(rng, most);
            signatures.push((params, results.clone()));
        }
    }
    signatures
}

fn origin(instance: usize, name: String) -> Origin {
    (format!("w{instance}"), name)
}

/// Everything but references and bodies.
fn outline(
    rng: &mut Rng,
    shape: &mut Shape,
    before: &[Shape],
    signatures: &[Signature],
    plan: Plan,
) {
    let any = |rng: &mut Rng| signatures[rng.usize(..signatures.len())].clone();
    for _ in 0..rng.usize(1..=2) {
        let name = HOST_FUNCTIONS[rng.usize(..HOST_FUNCTIONS.len())];
        shape
            .origins
            .funcs
            .push(("host".to_owned(), name.to_owned()));
        let ty = shape.type_index(any(rng));
        shape.funcs.push(ty);
        shape.is_host.push(true);
    }
    shape.first_global = Event::NAMES.len() as u32;
    if !before.is_empty() {
        for _ in 0..rng.usize(1..=4) {
            let from = rng.usize(..before.len());
            let func = rng.usize(..before[from].funcs.len());
            shape.origins.funcs.push(origin(from, format!("f{func}")));
            let ty = shape.type_index(before[from].signature(func as u32).clone());
            shape.funcs.push(ty);
            shape.is_host.push(before[from].is_host[func]);
        }
        let from = rng.usize(..before.len());
        shape.origins.table = Some(origin(from, "table".to_owned()));
        for _ in 0..rng.usize(..3) {
            let from = rng.usize(..before.len());
            let memory = rng.usize(..before[from].memories.len());
            // Under two names, now and then.
            for _ in 0..[1, 1, 2][rng.usize(..3)] {
                let origin = origin(from, format!("m{memory}"));
                shape.origins.memories.push(origin);
                shape.memories.push(before[from].memories[memory]);
            }
        }
        for _ in 0..rng.usize(..3) {
            let from = rng.usize(..before.len());
            let count = before[from].globals.len();
            if count > 0 {
                let global = rng.usize(..count);
                shape
                    .origins
                    .globals
                    .push(origin(from, format!("g{global}")));
                shape.globals.push(before[from].globals[global]);
            }
        }
        for _ in 0..rng.usize(..3) {
            let from = rng.usize(..before.len());
            let count = before[from].tags.len();
            if count > 0 {
                let tag = rng.usize(..count);
                shape.origins.tags.push(origin(from, format!("t{tag}")));
                let ty = before[from].tags[tag];
                let ty = shape.type_index(before[from].types[ty as usize].clone());
                shape.tags.push(ty);
            }
        }
    }
    for _ in 0..rng.usize(2..=5) {
        let ty = shape.type_index(any(rng));
        shape.funcs.push(ty);
        shape.is_host.push(false);
    }
    for _ in 0..rng.usize(..4) {
        let ty = shape.random_type(rng);
        shape.globals.push(ty);
    }
    shape.memories.push(small_memory(rng));
    if plan.is_vast && (before.is_empty() || rng.u8(..4) == 0) {
        shape.memories.push(vast_memory(rng));
    }
    for _ in 0..rng.usize(..3) {
        let payload = shape.random_types(rng, 3);
        let ty = shape.type_index((payload, Vec::new()));
        shape.tags.push(ty);
    }
}

/// References to functions, in globals: of instances before it and its own.
fn refer(rng: &mut Rng, shape: &mut Shape, before: &[Shape], mut place: Place) {
    let mut types = Vec::new();
    if !before.is_empty() {
        for _ in 0..rng.usize(1..=3) {
            let from = rng.usize(..before.len());
            let other = &before[from];
            let references = &other.place.as_ref().expect("it is of a world").references;
            let reference = rng.usize(..references.len());
            let ty = references[reference].1;
            let ty = shape.type_index(other.types[ty as usize].clone());
            let origin = origin(from, format!("r{reference}"));
            shape.origins.references.push((origin, ty));
            types.push(ty);
        }
    }
    for _ in 0..2 {
        let func = rng.u32(..shape.funcs.len() as u32);
        place.referred.push(func);
        types.push(shape.funcs[func as usize]);
    }
    let imported = shape.origins.references.len() as u32;
    for (index, ty) in (0..).zip(types) {
        // The globals of bodies are between imported references and the others.
        let global = if index < imported {
            shape.first_global + index
        } else {
            shape.first_global + index + shape.globals.len() as u32
        };
        place.references.push((global, ty));
    }
    shape.first_global += imported;
    shape.place = Some(place);
}

/// 4 GiB or a little more, or what may grow to it.
fn vast_memory(rng: &mut Rng) -> MemoryType {
    let (minimum, maximum, memory64) = match rng.u8(..6) {
        0 | 1 => (0x1_0001, None, true),
        2 => (0x1_0000, None, true),
        3 => (1, Some(GROWN_PAGES), true),
        _ => (0x1_0000, Some(0x1_0000), false),
    };
    MemoryType {
        minimum,
        maximum,
        memory64,
        shared: false,
        page_size_log2: None,
    }
}

/// Types of every register class.
pub(super) fn some_types(vectors: bool) -> &'static [ValType] {
    const ALL: &[ValType] = &[
        ValType::I32,
        ValType::I64,
        ValType::F64,
        ValType::F32,
        ValType::V128,
    ];
    &ALL[..if vectors { 5 } else { 4 }]
}
