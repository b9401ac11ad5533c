//! Does with a module whatever can be done: validate, instantiate with made-up imports, call every
//! export under limits. Any outcome but a panic, an abort, a hang or an unbounded allocation is
//! right. The fuzz targets use this file too.

use std::sync::mpsc;
use std::time::Duration;
use zwasm::{
    Caller, Config, Engine, Error, Extern, ExternType, Func, Global, Instance, InterruptHandle,
    Limits, Memory, Module, Ref, Store, Table, Tag, Tier, Val, ValType,
};

/// Fuel for the start function, and for each export.
const FUEL: u64 = 20_000;

/// How far a module came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) valid: bool,
    pub(crate) instantiated: bool,
    pub(crate) calls_returned: usize,
    pub(crate) calls_failed: usize,
}

/// Drives a module under every tier, with reserved address space and with explicit checks; with
/// these only where `ZWASM_SPEC_RESERVATION_BYTES` says that reserving is dear. The outcome is the
/// interpreter's, which counts fuel.
pub(crate) fn drive(bytes: &[u8]) -> Reached {
    let is_dear = std::env::var("ZWASM_SPEC_RESERVATION_BYTES").is_ok_and(|it| !it.is_empty());
    let reservations: &[Option<u64>] = if is_dear {
        &[Some(1 << 20)]
    } else {
        &[None, Some(1 << 20)]
    };
    let mut reached = Reached::default();
    for &tier in Tier::ALL {
        for &reservation in reservations {
            let outcome = drive_with(bytes, tier, reservation);
            if tier == Tier::Interp {
                reached = outcome;
            }
        }
    }
    reached
}

fn drive_with(bytes: &[u8], tier: Tier, reservation: Option<u64>) -> Reached {
    let mut config = Config::new();
    config
        .tier(tier)
        .consume_fuel(tier == Tier::Interp)
        .max_wasm_stack(256 << 10)
        .max_table_elements(20_000)
        .validation_threads(1);
    if let Some(bytes) = reservation {
        config.memory_reservation(bytes);
    }
    let engine = Engine::new(&config).expect("a valid configuration");
    let mut reached = Reached::default();
    let module = match Module::new(&engine, bytes) {
        Ok(module) => module,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return reached;
        }
    };
    reached.valid = true;
    let limits = Limits::new()
        .max_memory_bytes(1 << 20)
        .max_table_elements(10_000);
    let mut store = Store::new(&engine, limits);
    store.limiter(|limits| limits);
    let _watchdog = match store.set_fuel(FUEL) {
        Ok(()) => None,
        // Native tiers do without fuel: whatever runs for long is interrupted instead.
        Err(_) => Some(Watchdog::new(store.interrupt_handle())),
    };
    let Some(imports) = imports(&mut store, &module) else {
        return reached;
    };
    let instance = match Instance::new(&mut store, &module, &imports) {
        Ok(instance) => instance,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return reached;
        }
    };
    reached.instantiated = true;
    for (_, item) in instance.exports(&store) {
        touch(&mut store, item, &mut reached);
    }
    reached
}

/// Interrupts a store again and again until it is dropped.
struct Watchdog(mpsc::Sender<()>);

impl Watchdog {
    fn new(handle: InterruptHandle) -> Watchdog {
        let (sender, done) = mpsc::channel();
        std::thread::spawn(move || {
            let wait = Duration::from_millis(20);
            while done.recv_timeout(wait) == Err(mpsc::RecvTimeoutError::Timeout) {
                handle.interrupt();
            }
        });
        Watchdog(sender)
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // The thread may have ended with the process; there is nobody to tell then.
        let _ = self.0.send(());
    }
}

fn default_values(types: &[ValType]) -> Option<Vec<Val>> {
    types.iter().map(|&ty| Val::default_of(ty)).collect()
}

/// Something of the right type for each import, where there is such a thing.
fn imports(store: &mut Store<Limits>, module: &Module) -> Option<Vec<Extern>> {
    let mut imports = Vec::new();
    for import in module.imports() {
        imports.push(match import.ty {
            ExternType::Func(ty) => {
                let results = default_values(ty.results());
                let host = move |_: Caller<'_, Limits>, _: &[Val], out: &mut [Val]| {
                    let results = results
                        .as_ref()
                        .ok_or_else(|| Error::message("no such value"))?;
                    out.copy_from_slice(results);
                    Ok(())
                };
                Func::new(&mut *store, ty, host).into()
            }
            ExternType::Table(ty) => Table::new(&mut *store, ty, Ref::null(ty.element.heap))
                .ok()?
                .into(),
            ExternType::Memory(ty) => Memory::new(&mut *store, ty).ok()?.into(),
            ExternType::Global(ty) => Global::new(&mut *store, ty, Val::default_of(ty.content)?)
                .ok()?
                .into(),
            ExternType::Tag(ty) => Tag::new(&mut *store, &ty).ok()?.into(),
        });
    }
    Some(imports)
}

/// Calls, reads or grows an export.
fn touch(store: &mut Store<Limits>, item: Extern, reached: &mut Reached) {
    match item {
        Extern::Func(func) => {
            let ty = func.ty(&*store);
            let Some(args) = default_values(ty.params()) else {
                return;
            };
            let mut results = vec![Val::I32(0); ty.results().len()];
            if store.get_fuel().is_ok() {
                store.set_fuel(FUEL).expect("fuel is on");
            }
            match func.call(&mut *store, &args, &mut results) {
                Ok(()) => reached.calls_returned += 1,
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    reached.calls_failed += 1;
                }
            }
        }
        Extern::Memory(memory) => {
            let size = memory.data(&*store).len();
            assert_eq!(size, memory.data_size(&*store));
            let _ = memory.grow(&mut *store, 1);
        }
        Extern::Table(table) => {
            for index in 0..table.size(&*store).min(100) {
                assert!(table.get(&*store, index).is_some());
            }
            let heap = table.ty(&*store).element.heap;
            let _ = table.grow(&mut *store, 1, Ref::null(heap));
        }
        Extern::Global(global) => {
            let value = global.get(&*store);
            let _ = global.set(&mut *store, value);
        }
        Extern::Tag(tag) => drop(tag.ty(&*store)),
    }
}
