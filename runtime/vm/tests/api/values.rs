//! Vectors and references between host and guest.

use crate::{engine, every_tier};
use zwasm::{
    ExternRef, Func, FuncType, Global, GlobalType, Instance, Linker, Module, Mutability, Ref,
    RefType, Store, Table, TableType, Val, ValType,
};

const VECTORS: &str = r#"(module
    (import "h" "swap" (func $swap (param v128 i32 v128) (result v128 i32 v128)))
    (import "h" "g" (global $g (mut v128)))
    (func (export "run") (param v128) (result v128 i32 v128)
      (global.set $g (i32x4.add (global.get $g) (local.get 0)))
      (call $swap (local.get 0) (i32.const 9) (global.get $g))))"#;

#[test]
fn vectors_pass_through_host_functions_globals_and_several_results() {
    every_tier(|config| {
        let engine = engine(&config);
        let mut store = Store::new(&engine, ());
        let ty = GlobalType {
            content: ValType::V128,
            mutability: Mutability::Var,
        };
        let global = Global::new(&mut store, ty, Val::V128(1)).unwrap();
        assert!(Global::new(&mut store, ty, Val::I32(1)).is_err());
        let swap = Func::wrap(&mut store, |a: u128, n: i32, b: u128| (b, n + 1, a));
        let module = Module::new(&engine, VECTORS).unwrap();
        let instance = Instance::new(&mut store, &module, &[swap.into(), global.into()]).unwrap();
        let run = instance
            .get_typed_func::<u128, (u128, i32, u128)>(&store, "run")
            .unwrap();
        let high = 0xffff_ffff_0000_0000_0000_0000_0000_0002;
        assert_eq!(run.call(&mut store, high).unwrap(), (high + 1, 10, high));
        assert_eq!(global.get(&store).v128(), Some(high + 1));
        global.set(&mut store, Val::V128(u128::MAX)).unwrap();
        assert_eq!(run.call(&mut store, 0).unwrap(), (u128::MAX, 10, 0));
    });
}

#[test]
fn host_objects_make_the_round_trip() {
    every_tier(|config| {
        let engine = engine(&config);
        let mut store = Store::new(&engine, ());
        let module = Module::new(
            &engine,
            r#"(module (table $t (export "t") 3 externref) (global $g (mut externref) (ref.null extern))
            (func (export "keep") (param externref i32)
              (global.set $g (local.get 0)) (table.set $t (local.get 1) (local.get 0)))
            (func (export "get") (result externref) (global.get $g))
            (func (export "null") (param externref) (result i32) (ref.is_null (local.get 0))))"#,
        )
        .unwrap();
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let object = ExternRef::new(&mut store, String::from("mine"));
        let keep = instance
            .get_typed_func::<(Option<ExternRef>, i32), ()>(&store, "keep")
            .unwrap();
        keep.call(&mut store, (Some(object), 1)).unwrap();
        let get = instance
            .get_typed_func::<(), Option<ExternRef>>(&store, "get")
            .unwrap();
        let back = get.call(&mut store, ()).unwrap().expect("not null");
        assert_eq!(
            back.data(&store)
                .downcast_ref::<String>()
                .map(String::as_str),
            Some("mine")
        );
        let table = instance.get_table(&store, "t").unwrap();
        assert_eq!(table.get(&store, 1), Some(Ref::Extern(Some(object))));
        table.set(&mut store, 2, Ref::Extern(Some(object))).unwrap();
        assert!(table.set(&mut store, 2, Ref::Func(None)).is_err());
        assert!(table.set(&mut store, 3, Ref::Extern(None)).is_err());
        let null = instance
            .get_typed_func::<Option<ExternRef>, i32>(&store, "null")
            .unwrap();
        assert_eq!(null.call(&mut store, None).unwrap(), 1);
        assert_eq!(null.call(&mut store, Some(object)).unwrap(), 0);
    });
}

#[test]
fn function_references_make_the_round_trip_and_can_be_called() {
    every_tier(|config| {
        let engine = engine(&config);
        let mut linker = Linker::<()>::new(&engine);
        linker.func_wrap("h", "same", |f: Option<Func>| f).unwrap();
        let module = Module::new(
            &engine,
            r#"(module (import "h" "same" (func $same (param funcref) (result funcref)))
            (type $f (func (param i32) (result i32))) (table $t 1 funcref)
            (func $double (export "double") (param i32) (result i32) (i32.shl (local.get 0) (i32.const 1)))
            (func (export "run") (param i32) (result i32)
              (table.set $t (i32.const 0) (call $same (ref.func $double)))
              (call_indirect $t (type $f) (local.get 0) (i32.const 0)))
            (func (export "apply") (param funcref i32) (result i32)
              (table.set $t (i32.const 0) (local.get 0))
              (call_indirect $t (type $f) (local.get 1) (i32.const 0))))"#,
        )
        .unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance.get_typed_func::<i32, i32>(&store, "run").unwrap();
        assert_eq!(run.call(&mut store, 21).unwrap(), 42);
        // A host function called through the guest's table.
        let triple = Func::wrap(&mut store, |v: i32| v * 3);
        let apply = instance
            .get_typed_func::<(Option<Func>, i32), i32>(&store, "apply")
            .unwrap();
        assert_eq!(apply.call(&mut store, (Some(triple), 5)).unwrap(), 15);
        let other = Func::wrap(&mut store, |v: i64| v);
        assert!(apply.call(&mut store, (Some(other), 5)).is_err());
        assert!(apply.call(&mut store, (None, 5)).is_err());
    });
}

#[test]
fn floats_keep_their_bits() {
    every_tier(|config| {
        let engine = engine(&config);
        let mut store = Store::new(&engine, ());
        let ty = FuncType::new([ValType::F32, ValType::F64], [ValType::F64, ValType::F32]);
        let host = Func::new(&mut store, ty, |_: zwasm::Caller<'_, ()>, args, results| {
            results[0] = args[1];
            results[1] = args[0];
            Ok(())
        });
        let module = Module::new(
            &engine,
            r#"(module (import "" "h" (func $h (param f32 f64) (result f64 f32)))
            (func (export "run") (param f32 f64) (result f64 f32) (call $h (local.get 0) (local.get 1))))"#,
        )
        .unwrap();
        let instance = Instance::new(&mut store, &module, &[host.into()]).unwrap();
        let run = instance.get_func(&store, "run").unwrap();
        let (a, b) = (0xffa1_2345, 0x7ff4_dead_beef_0001);
        let mut results = [Val::I32(0); 2];
        run.call(&mut store, &[Val::F32(a), Val::F64(b)], &mut results)
            .unwrap();
        assert!(
            matches!(results, [Val::F64(x), Val::F32(y)] if x == b && y == a),
            "{results:?}"
        );
    });
}

#[test]
fn constant_globals_and_null_tables_refuse() {
    let engine = zwasm::Engine::default();
    let mut store = Store::new(&engine, ());
    let ty = GlobalType {
        content: ValType::I32,
        mutability: Mutability::Const,
    };
    let global = Global::new(&mut store, ty, Val::I32(3)).unwrap();
    assert!(global.set(&mut store, Val::I32(4)).is_err());
    assert_eq!(global.get(&store).i32(), Some(3));
    let object = ExternRef::new(&mut store, 5_u8);
    let ty = TableType {
        element: RefType::FUNCREF,
        minimum: 1,
        maximum: Some(2),
        table64: false,
    };
    assert!(Table::new(&mut store, ty, Ref::Extern(Some(object))).is_err());
    let table = Table::new(&mut store, ty, Ref::Func(None)).unwrap();
    assert_eq!(table.grow(&mut store, 1, Ref::Func(None)).unwrap(), 1);
    assert!(table.grow(&mut store, 1, Ref::Func(None)).is_err());
    assert_eq!(table.size(&store), 2);
}
