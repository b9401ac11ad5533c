//! Atomic instructions on memories that are not shared.

use crate::{configurations, instantiate};
use std::fmt::Write;
use zwasm::{Engine, Instance, Module, Store, TrapCode, Val};
use zwasm_core::ValType;
use zwasm_core::atomic::{AtomicKind, AtomicOp};

/// The text format's name.
fn name(op: AtomicOp) -> String {
    let width = 8 * op.bytes;
    let ty = if op.ty == ValType::I32 { "i32" } else { "i64" };
    let is_narrow = usize::from(op.bytes) < if ty == "i32" { 4 } else { 8 };
    let (narrow, unsigned) = if is_narrow {
        (width.to_string(), "_u")
    } else {
        (String::new(), "")
    };
    match op.kind {
        AtomicKind::Load => format!("{ty}.atomic.load{narrow}{unsigned}"),
        AtomicKind::Store => format!("{ty}.atomic.store{narrow}"),
        AtomicKind::Notify => "memory.atomic.notify".to_owned(),
        AtomicKind::Wait => format!("memory.atomic.wait{width}"),
        kind => {
            let kind = format!("{kind:?}").to_lowercase();
            format!("{ty}.atomic.rmw{narrow}.{kind}{unsigned}")
        }
    }
}

/// The types of the operands above the address.
fn operands(op: AtomicOp) -> Vec<ValType> {
    match op.kind {
        AtomicKind::Notify => vec![ValType::I32],
        AtomicKind::Wait => vec![op.ty, ValType::I64],
        _ => vec![op.ty; op.operands() - 1],
    }
}

const PLACES: [(&str, &str, u64); 6] = [
    ("0", "i32", 0),
    ("0", "i32", 8),
    ("$b", "i32", 0xffff_fff8),
    ("$c", "i64", 0),
    ("$c", "i64", 8),
    ("$c", "i64", u64::MAX - 7),
];

/// A function for each instruction and place.
fn module() -> String {
    let mut text =
        String::from("(module (memory (export \"m\") 1) (memory $b 1) (memory $c i64 1)\n");
    text += "(data (i32.const 0) \"\\81\\82\\83\\84\\85\\86\\87\\88\")";
    text += "(data (memory $c) (i64.const 0) \"\\81\\82\\83\\84\\85\\86\\87\\88\")";
    for (place, (memory, index, offset)) in PLACES.iter().enumerate() {
        for (i, &op) in AtomicOp::ALL.iter().enumerate() {
            let params: Vec<String> = operands(op).iter().map(|ty| ty.to_string()).collect();
            let result = op
                .result()
                .map_or(String::new(), |ty| format!("(result {ty})"));
            let gets: String = (0..op.operands())
                .map(|i| format!("(local.get {i})"))
                .collect();
            let _ = writeln!(
                text,
                "(func (export \"f{place}-{i}\") (param {index} {}) {result}
                    ({} {memory} offset={offset} {gets}) (atomic.fence))",
                params.join(" "),
                name(op),
            );
        }
    }
    // Between plain accesses, which must see what they write, and in a loop.
    text += r#"(func (export "mixed") (param i32) (result i64) (local i64)
        (loop $l
            (i64.store (i32.const 64) (i64.const 5))
            (local.set 1 (i64.add (local.get 1) (i64.load (i32.const 64))))
            (drop (i64.atomic.rmw.add (i32.const 64) (i64.const 10)))
            (local.set 1 (i64.add (local.get 1) (i64.load (i32.const 64))))
            (i32.atomic.store (i32.const 68) (i32.const 1))
            (local.set 1 (i64.add (local.get 1) (i64.load32_u (i32.const 68))))
            (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get 1)))"#;
    text
}

fn value(ty: ValType, bits: u64) -> Val {
    match ty {
        ValType::I32 => Val::I32(bits as i32),
        _ => Val::I64(bits as i64),
    }
}

/// Results, memory and traps at every place, aligned or not, in bounds or not.
#[test]
fn atomics_of_every_kind_and_place() {
    const OLD: u64 = 0x8887_8685_8483_8281;
    let interesting = [
        0,
        1,
        0x81,
        0x8281,
        0x8483_8281,
        OLD,
        0xffff_ffff_ffff_ff81,
        u64::MAX,
    ];
    for (config, tier) in configurations() {
        let (mut store, instance) = instantiate(&config, module());
        let memory = instance.get_memory(&store, "m").expect("exported");
        for (place, (_, index, offset)) in PLACES.iter().enumerate() {
            let index_ty = if *index == "i32" {
                ValType::I32
            } else {
                ValType::I64
            };
            for (i, &op) in AtomicOp::ALL.iter().enumerate() {
                let f = instance.get_func(&store, &format!("f{place}-{i}"));
                let f = f.expect("exported");
                let call = |store: &mut Store<()>, index: u64, values: [u64; 2]| {
                    let mut args = vec![value(index_ty, index)];
                    let types = operands(op);
                    args.extend(types.iter().zip(values).map(|(&ty, bits)| value(ty, bits)));
                    let mut results = vec![Val::I32(0); usize::from(op.result().is_some())];
                    match f.call(store, &args, &mut results) {
                        Ok(()) => Ok(results.first().map(|result| format!("{result:?}"))),
                        Err(error) => Err(error.trap_code()),
                    }
                };
                let what = format!("{tier}: {} at place {place}", name(op));
                // Not aligned, and not there.
                for bad in [1, 65535, 65536, 65544, 0xffff_ffff_ffff_fff9] {
                    let bad = if *index == "i32" {
                        bad & 0xffff_ffff
                    } else {
                        bad
                    };
                    let start = u128::from(bad) + u128::from(*offset);
                    let is_aligned = (start as u64).is_multiple_of(op.bytes.into());
                    let is_there = start + u128::from(op.bytes) <= 65536;
                    let expected = match (is_aligned, is_there) {
                        (false, _) => TrapCode::UnalignedAtomic,
                        (true, false) => TrapCode::MemoryOutOfBounds,
                        (true, true) => continue,
                    };
                    assert_eq!(
                        call(&mut store, bad, [0; 2]),
                        Err(Some(expected)),
                        "{what}, {bad:#x}"
                    );
                }
                if *offset > 8 {
                    continue;
                }
                // The address 8 in all: bytes around must stay.
                let at = 8 - offset;
                if op.kind == AtomicKind::Wait {
                    let expected = Err(Some(TrapCode::ExpectedSharedMemory));
                    assert_eq!(call(&mut store, at, [0; 2]), expected, "{what}");
                    continue;
                }
                if op.kind == AtomicKind::Notify {
                    assert_eq!(
                        call(&mut store, at, [7, 0]),
                        Ok(Some("I32(0)".into())),
                        "{what}"
                    );
                    continue;
                }
                if place > 1 {
                    // Only what comes back, from memory that nobody else sees.
                    assert!(call(&mut store, at, [1, 2]).is_ok(), "{what}");
                    continue;
                }
                for first in interesting {
                    for second in [0, OLD, u64::MAX] {
                        memory.data_mut(&mut store)[8..16].copy_from_slice(&OLD.to_le_bytes());
                        let got = call(&mut store, at, [first, second]);
                        let old = OLD & op.mask();
                        let result = op.result().map(|ty| format!("{:?}", value(ty, old)));
                        assert_eq!(got, Ok(result), "{what}");
                        let new = match op.written(old, [first, second]) {
                            Some(new) => OLD & !op.mask() | new & op.mask(),
                            None => OLD,
                        };
                        let bytes = memory.data(&store)[8..16].try_into().expect("8");
                        assert_eq!(u64::from_le_bytes(bytes), new, "{what}");
                    }
                }
            }
        }
        let mixed = instance.get_typed_func::<i32, i64>(&store, "mixed");
        let mixed = mixed.expect("exported").call(&mut store, 3);
        assert_eq!(mixed.ok(), Some(3 * (5 + 15 + 1)), "{tier}");
    }
}

/// Shared memories are not there yet, whoever declares them; fences need no memory at all.
#[test]
fn shared_memories_are_refused_by_name() {
    for (config, tier) in configurations() {
        let engine = Engine::new(&config).expect("a valid configuration");
        for text in [
            "(module (memory 1 1 shared))",
            "(module (import \"a\" \"b\" (memory 1 1 shared)))",
        ] {
            let error = Module::new(&engine, text).expect_err("refused");
            assert!(
                error.to_string().contains("shared memories"),
                "{tier}: {error}"
            );
        }
        let fence = Module::new(&engine, "(module (func (export \"f\") (atomic.fence)))");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &fence.expect("valid"), &[]).expect("no imports");
        let f = instance
            .get_typed_func::<(), ()>(&store, "f")
            .expect("exported");
        f.call(&mut store, ()).expect("it returns");
    }
}
