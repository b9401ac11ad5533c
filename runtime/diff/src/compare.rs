//! Runs one module under two engines, step by step, and compares.
//!
//! After each call: whether it returned, its results, or why it did not and at which operators of
//! which functions, and the fuel left. At the end: what host functions were called with, memories, tables, globals.
//!
//! Not compared: how deep a guest may call, which tiers decide by frames of different sizes.

use crate::Summary;
use crate::setup::Pair;
use crate::shapes;
use crate::values::{argument, described};
use fastrand::Rng;
use zwasm::{
    Caller, Engine, Error, Extern, ExternType, Func, FuncType, Global, Instance, Limits, Memory,
    Module, Ref, Store, Table, Tag, TrapCode, Val, ValType,
};

/// Calls of each exported function.
const ROUNDS: usize = 3;
/// Exported functions that are called.
const MAX_FUNCTIONS: usize = 12;
/// Elements of a table that are looked at.
const MAX_ELEMENTS: u64 = 200;
/// Backtraces of this many frames are cut off.
const MAX_FRAMES: usize = 32;

/// What a store holds for its host functions.
struct Host {
    limits: Limits,
    calls: u64,
    /// A digest of what host functions were called with.
    digest: u64,
}

/// One engine's run of the module.
struct Side {
    store: Store<Host>,
    exports: Vec<(String, Extern)>,
    functions: Vec<Func>,
    /// What counts down, where every call starts anew.
    fuel: Option<Global>,
}

/// A wasm frame: the function, and the operator's offset in the module.
type Frame = (u32, Option<usize>);

/// How a call, or the instantiation, ended.
#[derive(Debug)]
enum Ending {
    Returned(Vec<(u128, Option<usize>)>),
    Trapped(TrapCode, Vec<Frame>),
    Thrown(Vec<Frame>),
    Failed(String),
}

/// Whether the native tier's frames are the interpreter's. It may have more: a tail call whose
/// arguments do not fit into its caller's area is a call and a return there.
fn same_frames(oracle: &[Frame], native: &[Frame]) -> bool {
    let mut rest = native.iter();
    oracle.first() == native.first()
        && (oracle.iter().all(|frame| rest.any(|other| other == frame))
            || native.len() >= MAX_FRAMES)
}

impl Ending {
    fn of(error: &Error) -> Ending {
        let frames = error.backtrace().iter();
        let frames = frames.map(|frame| (frame.func_index(), frame.module_offset()));
        match error.trap_code() {
            Some(code) => Ending::Trapped(code, frames.collect()),
            None if error.is_exception() => Ending::Thrown(frames.collect()),
            // Without the frames: the interpreter lets a function call the host in its own frame
            // where machine code has left it by a tail call.
            None => {
                let text = error.to_string();
                Ending::Failed(text.lines().next().unwrap_or_default().to_owned())
            }
        }
    }

    /// Whether the native tier's ending is the interpreter's.
    fn agrees(&self, native: &Ending) -> bool {
        match (self, native) {
            (Ending::Returned(a), Ending::Returned(b)) => a == b,
            (Ending::Trapped(code, a), Ending::Trapped(other, b)) => {
                code == other && same_frames(a, b)
            }
            (Ending::Thrown(a), Ending::Thrown(b)) => same_frames(a, b),
            (Ending::Failed(a), Ending::Failed(b)) => a == b,
            _ => false,
        }
    }

    fn is_exhaustion(&self) -> bool {
        matches!(self, Ending::Trapped(TrapCode::StackOverflow, _))
    }
}

/// Runs a module; the arguments come from `seed`.
///
/// # Errors
/// What was different.
pub fn run(pair: &Pair, wasm: &[u8], seed: u64) -> Result<Summary, String> {
    let mut summary = Summary {
        modules: 1,
        ..Summary::default()
    };
    let (mut oracle, mut native) = match (
        Side::new(&pair.interpreter, wasm, seed),
        Side::new(&pair.native, wasm, seed),
    ) {
        (Ok(oracle), Ok(native)) => (oracle, native),
        (Err(oracle), Err(native)) if oracle.agrees(&native) => return Ok(summary),
        (oracle, native) => {
            let [oracle, native] = [oracle.err(), native.err()];
            let ended =
                |ending: &Option<Ending>| ending.as_ref().is_some_and(Ending::is_exhaustion);
            if ended(&oracle) || ended(&native) {
                summary.exhausted += 1;
                return Ok(summary);
            }
            return Err(format!("instantiation: {oracle:?} became {native:?}"));
        }
    };
    summary.instantiated = 1;
    let mut rng = Rng::with_seed(seed);
    for round in 0..ROUNDS {
        for index in 0..oracle.functions.len().min(MAX_FUNCTIONS) {
            let ty = oracle.functions[index].ty(&oracle.store);
            let args: Option<Vec<Val>> = ty
                .params()
                .iter()
                .map(|&ty| argument(&mut rng, ty))
                .collect();
            let Some(args) = args else { continue };
            if pair.fuel {
                let units = [50, 1_000, 20_000, 1 << 40][rng.usize(..4)];
                oracle.set_fuel(units);
                native.set_fuel(units);
            }
            let expected = oracle.call(index, &args);
            let got = native.call(index, &args);
            if expected.is_exhaustion() || got.is_exhaustion() {
                summary.exhausted += 1;
                return Ok(summary);
            }
            if !expected.agrees(&got) {
                return Err(format!(
                    "round {round}, exported function {index}, arguments {args:x?}: {expected:x?} \
                     became {got:x?}"
                ));
            }
            if pair.fuel {
                let left = [&oracle.store, &native.store].map(|store| store.get_fuel());
                let [oracle, native] = left.map(|fuel| fuel.expect("engines that count"));
                if oracle != native {
                    return Err(format!(
                        "round {round}, exported function {index}: {oracle} units of fuel left \
                         became {native}"
                    ));
                }
            }
            match expected {
                Ending::Returned(_) => summary.returned += 1,
                _ => summary.trapped += 1,
            }
        }
    }
    let calls = |side: &Side| (side.store.data().calls, side.store.data().digest);
    if calls(&oracle) != calls(&native) {
        return Err("host functions were called differently".to_owned());
    }
    compare_state(&mut oracle, &mut native)?;
    Ok(summary)
}

fn compare_state(oracle: &mut Side, native: &mut Side) -> Result<(), String> {
    for index in 0..oracle.exports.len() {
        let name = oracle.exports[index].0.clone();
        let items = (oracle.exports[index].1, native.exports[index].1);
        match items {
            (Extern::Memory(a), Extern::Memory(b)) => {
                let (a, b) = (a.data(&oracle.store), b.data(&native.store));
                if a != b {
                    let first = a.iter().zip(b).position(|(a, b)| a != b);
                    let sizes = (a.len(), b.len());
                    return Err(format!(
                        "memory {name}: sizes {sizes:?}, first difference at {first:?}"
                    ));
                }
            }
            (Extern::Global(a), Extern::Global(b)) => {
                let a = oracle.described(a);
                let b = native.described(b);
                if a != b {
                    return Err(format!("global {name}: {a:x?} became {b:x?}"));
                }
            }
            (Extern::Table(a), Extern::Table(b)) => {
                let size = a.size(&oracle.store);
                if size != b.size(&native.store) {
                    return Err(format!("table {name}: sizes differ"));
                }
                for element in 0..size.min(MAX_ELEMENTS) {
                    let a = a.get(&oracle.store, element).map(Val::Ref);
                    let b = b.get(&native.store, element).map(Val::Ref);
                    let a = a.map(|value| described(&value, &oracle.functions));
                    let b = b.map(|value| described(&value, &native.functions));
                    if a != b {
                        return Err(format!("table {name}, {element}: {a:x?} became {b:x?}"));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

impl Side {
    fn new(engine: &Engine, wasm: &[u8], seed: u64) -> Result<Side, Ending> {
        let module = Module::new(engine, wasm).map_err(|error| Ending::of(&error))?;
        let host = Host {
            limits: Limits::new()
                .max_memory_bytes(1 << 20)
                .max_table_elements(10_000),
            calls: 0,
            digest: 0,
        };
        let mut store = Store::new(engine, host);
        // For the start function; engines that do not count refuse it.
        let _ = store.set_fuel(100_000);
        store.limiter(|host| &mut host.limits);
        let imports = imports(&mut store, &module, seed).map_err(|error| Ending::of(&error))?;
        let instance =
            Instance::new(&mut store, &module, &imports).map_err(|error| Ending::of(&error))?;
        let exports: Vec<(String, Extern)> = instance
            .exports(&store)
            .into_iter()
            .map(|(name, item)| (name.to_owned(), item))
            .collect();
        let functions = exports
            .iter()
            .filter_map(|(_, item)| item.into_func())
            .collect();
        Ok(Side {
            fuel: instance.get_global(&store, shapes::FUEL),
            store,
            exports,
            functions,
        })
    }

    fn set_fuel(&mut self, units: u64) {
        let set = self.store.set_fuel(units);
        set.expect("an engine that counts");
    }

    fn call(&mut self, index: usize, args: &[Val]) -> Ending {
        if let Some(fuel) = self.fuel {
            let full = Val::I32(shapes::FUEL_PER_CALL);
            fuel.set(&mut self.store, full).expect("a mutable global");
        }
        let func = self.functions[index];
        let count = func.ty(&self.store).results().len();
        let mut results = vec![Val::I32(0); count];
        match func.call(&mut self.store, args, &mut results) {
            Ok(()) => Ending::Returned(
                results
                    .iter()
                    .map(|value| described(value, &self.functions))
                    .collect(),
            ),
            Err(error) => Ending::of(&error),
        }
    }

    fn described(&self, global: Global) -> (u128, Option<usize>) {
        described(&global.get(&self.store), &self.functions)
    }
}

/// Something of the right type for each import.
fn imports(store: &mut Store<Host>, module: &Module, seed: u64) -> Result<Vec<Extern>, Error> {
    let mut imports = Vec::new();
    let default_of =
        |ty: ValType| Val::default_of(ty).ok_or_else(|| Error::message("there is no such value"));
    for import in module.imports() {
        imports.push(match import.ty {
            ExternType::Func(ty) => host_function(store, ty, seed).into(),
            ExternType::Table(ty) => {
                Table::new(&mut *store, ty, Ref::null(ty.element.heap))?.into()
            }
            ExternType::Memory(ty) => Memory::new(&mut *store, ty)?.into(),
            ExternType::Global(ty) => {
                let value = default_of(ty.content)?;
                Global::new(&mut *store, ty, value)?.into()
            }
            ExternType::Tag(ty) => Tag::new(&mut *store, &ty)?.into(),
        });
    }
    Ok(imports)
}

/// A function that notes its arguments and answers, or fails, as the seed and the number of the
/// call say.
fn host_function(store: &mut Store<Host>, ty: FuncType, seed: u64) -> Func {
    let results = ty.results().to_vec();
    let host = move |mut caller: Caller<'_, Host>, args: &[Val], out: &mut [Val]| {
        let host = caller.data_mut();
        host.calls += 1;
        for arg in args {
            let (bits, _) = described(arg, &[]);
            let word = bits as u64 ^ (bits >> 64) as u64;
            host.digest = (host.digest.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        let mut rng = Rng::with_seed(seed ^ host.calls);
        if rng.u8(..32) == 0 {
            return Err(Error::message("the host fails"));
        }
        for (out, &ty) in out.iter_mut().zip(&results) {
            *out = argument(&mut rng, ty).ok_or_else(|| Error::message("no such value"))?;
        }
        Ok(())
    };
    Func::new(store, ty, host)
}
