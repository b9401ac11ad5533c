//! Runs a module, or the modules of a world, under two engines, step by step, and compares.
//!
//! After each call: whether it returned, its results, or why it did not and at which operators of
//! which functions, and the fuel left. At the end: what host functions were called with and saw,
//! memories (those of gigabytes in places), tables, globals.
//!
//! Not compared: how deep a guest may call, which tiers decide by frames of different sizes. Where
//! that shows, the rest of the run is given up; functions that recurse until the stack ends and do
//! nothing else must end so in both, and the run goes on.

use crate::Summary;
use crate::host::{self, Host, default_of, on_thread};
use crate::setup::Pair;
use crate::shapes::recursion::OVER;
use crate::shapes::{self, Event};
use crate::values::{argument, described};
use fastrand::Rng;
use zwasm::{
    Engine, Error, Extern, ExternType, Func, Global, GlobalType, Instance, Limits, Memory, Module,
    Mutability, Ref, Store, Table, Tag, TrapCode, Val, ValType,
};

/// Calls of each exported function.
const ROUNDS: usize = 3;
/// Exported functions that are called.
const MAX_FUNCTIONS: usize = 12;
/// Elements of a table that are looked at.
const MAX_ELEMENTS: u64 = 200;

/// Calls of exported functions in a world.
const WORLD_CALLS: usize = 30;
/// What a memory may grow to: of a module alone, and of a world.
const MAX_MEMORY_BYTES: [usize; 2] = [1 << 20, 6 << 30];
/// Memories up to this size are compared as a whole.
const WHOLE_BYTES: usize = 1 << 22;
/// How much is compared before and behind each place in larger ones.
const WINDOW_BYTES: usize = 68 << 10;
/// These places, beside the end.
const PLACES: [usize; 3] = [0, 1 << 31, 1 << 32];

/// One engine's run of the module or the world.
struct Side {
    store: Store<Host>,
    exports: Vec<(String, Extern)>,
    /// What may be called: all that instances export but [`OVER`].
    functions: Vec<Func>,
    /// Functions that end with the stack.
    recursive: Vec<Func>,
    /// What counts down, where every call starts anew.
    fuel: Option<Global>,
    /// What counts events, in a world.
    events: Vec<Global>,
}

/// Backtraces of this many frames are cut off.
const MAX_FRAMES: usize = 32;

/// A wasm frame: the function and its name, which tells instances apart, and the operator's offset
/// in the module.
type Frame = (u32, Option<String>, Option<usize>);

/// How a call, or the instantiation, ended.
#[derive(Debug)]
enum Ending {
    Returned(Vec<(u128, Option<usize>)>),
    Trapped(TrapCode, Vec<Frame>),
    Thrown(Vec<Frame>),
    Failed(String, Vec<Frame>),
}

/// Whether the native tier's frames are the interpreter's, which may have one more for each host
/// function: it lets a function call the host in its own frame where machine code has left it by a
/// tail call.
fn same_frames(oracle: &[Frame], native: &[Frame], host_calls: u64) -> bool {
    if host_calls == 0 {
        return oracle == native;
    }
    let mut rest = oracle.iter();
    native.iter().all(|frame| rest.any(|other| other == frame)) || oracle.len() >= MAX_FRAMES
}

impl Ending {
    fn of(error: &Error) -> Ending {
        let frames = error.backtrace().iter();
        let frames = frames.map(|frame| {
            let name = frame.name().map(str::to_owned);
            (frame.func_index(), name, frame.module_offset())
        });
        match error.trap_code() {
            Some(code) => Ending::Trapped(code, frames.collect()),
            None if error.is_exception() => Ending::Thrown(frames.collect()),
            None => {
                let text = error.to_string();
                Ending::Failed(
                    text.lines().next().unwrap_or_default().to_owned(),
                    frames.collect(),
                )
            }
        }
    }

    /// Whether the native tier's ending is the interpreter's.
    fn agrees(&self, native: &Ending, host_calls: u64) -> bool {
        match (self, native) {
            (Ending::Returned(a), Ending::Returned(b)) => a == b,
            (Ending::Trapped(code, a), Ending::Trapped(other, b)) => {
                code == other && same_frames(a, b, host_calls)
            }
            (Ending::Thrown(a), Ending::Thrown(b)) => same_frames(a, b, host_calls),
            (Ending::Failed(text, a), Ending::Failed(other, b)) => {
                text == other && same_frames(a, b, host_calls)
            }
            _ => false,
        }
    }

    fn is_exhaustion(&self) -> bool {
        matches!(self, Ending::Trapped(TrapCode::StackOverflow, _))
    }
}

/// Runs a module, or several that are a world; the arguments come from `seed`.
///
/// # Errors
/// What was different.
pub fn run(pair: &Pair, modules: &[Vec<u8>], seed: u64) -> Result<Summary, String> {
    let is_world = modules.len() > 1;
    let mut summary = Summary {
        modules: 1,
        worlds: u64::from(is_world),
        ..Summary::default()
    };
    let (oracle, native) = match (
        Side::new(&pair.interpreter, modules, seed),
        Side::new(&pair.native, modules, seed),
    ) {
        (Ok(oracle), Ok(native)) => (oracle, native),
        (Err(oracle), Err(native)) if oracle.agrees(&native, u64::MAX) => return Ok(summary),
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
    let mut run = Run {
        has_threads: is_world && rng.u8(..3) == 0,
        fuel: pair.fuel,
        sides: Some((oracle, native)),
        rng,
        summary,
    };
    if is_world {
        run.call_anything()?;
    } else {
        run.call_rounds()?;
    }
    run.finish()
}

/// A run of both sides.
struct Run {
    /// Both; moved to other threads and back. Gone where the rest was given up.
    sides: Option<(Side, Side)>,
    /// Whether some calls come from other threads.
    has_threads: bool,
    /// Whether engines count fuel.
    fuel: bool,
    rng: Rng,
    summary: Summary,
}

impl Run {
    /// Every exported function several times.
    fn call_rounds(&mut self) -> Result<(), String> {
        let (oracle, _) = self.sides.as_ref().expect("nothing was given up");
        let count = oracle.functions.len().min(MAX_FUNCTIONS);
        for round in 0..ROUNDS {
            for index in 0..count {
                self.call(index)
                    .map_err(|what| format!("round {round}, exported function {index}, {what}"))?;
                if self.sides.is_none() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Exported functions of a world, and the stack's end now and then.
    fn call_anything(&mut self) -> Result<(), String> {
        for call in 0..WORLD_CALLS {
            let Some((oracle, _)) = &self.sides else {
                return Ok(());
            };
            let (functions, recursive) = (oracle.functions.len(), oracle.recursive.len());
            if recursive > 0 && self.rng.u8(..8) == 0 {
                let index = self.rng.usize(..recursive);
                self.overflow(index)
                    .map_err(|what| format!("call {call}, recursion {index}, {what}"))?;
            } else if functions > 0 {
                let index = self.rng.usize(..functions);
                self.call(index)
                    .map_err(|what| format!("call {call}, function {index}, {what}"))?;
            }
        }
        Ok(())
    }

    fn arguments(&mut self, func: Func) -> Option<Vec<Val>> {
        let (oracle, _) = self.sides.as_ref()?;
        let ty = func.ty(&oracle.store);
        let params = ty.params().iter();
        params.map(|&ty| argument(&mut self.rng, ty)).collect()
    }

    fn set_fuel(&mut self, units: u64) {
        if let Some((oracle, native)) = &mut self.sides
            && self.fuel
        {
            oracle.set_fuel(units);
            native.set_fuel(units);
        }
    }

    /// Calls a function on both sides, from another thread perhaps, to which the stores move.
    fn on_both(&mut self, call: impl Fn(&mut Side) -> Ending + Send) -> (Ending, Ending) {
        let (mut oracle, mut native) = self.sides.take().expect("nothing was given up");
        let elsewhere = self.has_threads && self.rng.bool();
        let endings = if elsewhere {
            self.summary.threads += 1;
            let endings;
            (oracle, native, endings) = on_thread(move || {
                let endings = (call(&mut oracle), call(&mut native));
                (oracle, native, endings)
            });
            endings
        } else {
            (call(&mut oracle), call(&mut native))
        };
        self.sides = Some((oracle, native));
        endings
    }

    /// Calls an exported function.
    fn call(&mut self, index: usize) -> Result<(), String> {
        let (oracle, _) = self.sides.as_ref().expect("nothing was given up");
        let func = oracle.functions[index];
        let Some(args) = self.arguments(func) else {
            return Ok(());
        };
        if self.fuel {
            let units = [50, 1_000, 20_000, 1 << 40][self.rng.usize(..4)];
            self.set_fuel(units);
        }
        let (expected, got) = self.on_both(|side| side.call(side.functions[index], &args));
        if expected.is_exhaustion() || got.is_exhaustion() {
            self.summary.exhausted += 1;
            self.sides = None;
            return Ok(());
        }
        let (oracle, native) = self.sides.as_ref().expect("nothing was given up");
        if !expected.agrees(&got, host_calls(oracle).0) {
            return Err(format!(
                "arguments {args:x?}: {expected:x?} became {got:x?}"
            ));
        }
        if self.fuel {
            let left = [&oracle.store, &native.store].map(|store| store.get_fuel());
            let [oracle, native] = left.map(|fuel| fuel.expect("engines that count"));
            if oracle != native {
                return Err(format!("{oracle} units of fuel left became {native}"));
            }
        }
        if host_calls(oracle) != host_calls(native) {
            return Err("host functions were called differently".to_owned());
        }
        match expected {
            Ending::Returned(_) => self.summary.returned += 1,
            _ => self.summary.trapped += 1,
        }
        Ok(())
    }

    /// Calls a function that only recurses.
    fn overflow(&mut self, index: usize) -> Result<(), String> {
        let (oracle, _) = self.sides.as_ref().expect("nothing was given up");
        let func = oracle.recursive[index];
        let Some(args) = self.arguments(func) else {
            return Ok(());
        };
        self.set_fuel(1 << 40);
        let (expected, got) = self.on_both(|side| side.call(side.recursive[index], &args));
        if !(expected.is_exhaustion() && got.is_exhaustion()) {
            return Err(format!("{expected:x?} and {got:x?}, not the stack's end"));
        }
        self.summary.overflowed += 1;
        Ok(())
    }

    /// Compares what is left.
    fn finish(self) -> Result<Summary, String> {
        let mut summary = self.summary;
        let Some((mut oracle, mut native)) = self.sides else {
            return Ok(summary);
        };
        compare_state(&mut oracle, &mut native)?;
        let count = |event: Event| {
            let global = oracle.events.get(event as usize);
            match global.map(|global| global.get(&oracle.store)) {
                Some(Val::I32(count)) => u64::from(count as u32),
                _ => 0,
            }
        };
        summary.crossed += count(Event::Crossed);
        summary.hosts_tail_called += count(Event::HostTailCalled);
        summary.wrapped += count(Event::Wrapped);
        summary.reentered += oracle.store.data().reentered;
        summary.host_threads += oracle.store.data().threads;
        Ok(summary)
    }
}

fn host_calls(side: &Side) -> (u64, u64) {
    (side.store.data().calls, side.store.data().digest)
}

/// The first difference of two memories; of large ones, in the places that guests choose.
fn first_difference(a: &[u8], b: &[u8]) -> Option<usize> {
    let end = a.len().min(b.len());
    let windows: Vec<(usize, usize)> = if end <= WHOLE_BYTES {
        vec![(0, end)]
    } else {
        let places = PLACES.iter().chain([&end]);
        let window = |&place: &usize| {
            let from = place.saturating_sub(WINDOW_BYTES);
            (from.min(end), (place + WINDOW_BYTES).min(end))
        };
        places.map(window).collect()
    };
    windows.into_iter().find_map(|(from, to)| {
        let (a, b) = (&a[from..to], &b[from..to]);
        if a == b {
            return None;
        }
        let at = a.iter().zip(b).position(|(a, b)| a != b);
        at.map(|at| from + at)
    })
}

fn compare_state(oracle: &mut Side, native: &mut Side) -> Result<(), String> {
    for index in 0..oracle.exports.len() {
        let name = oracle.exports[index].0.clone();
        let items = (oracle.exports[index].1, native.exports[index].1);
        match items {
            (Extern::Memory(a), Extern::Memory(b)) => {
                let (a, b) = (a.data(&oracle.store), b.data(&native.store));
                let first = first_difference(a, b);
                if a.len() != b.len() || first.is_some() {
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
    fn new(engine: &Engine, modules: &[Vec<u8>], seed: u64) -> Result<Side, Ending> {
        let is_world = modules.len() > 1;
        let limits = Limits::new()
            .max_memory_bytes(MAX_MEMORY_BYTES[usize::from(is_world)])
            .max_table_elements(10_000);
        let mut store = Store::new(engine, Host::new(limits));
        // For the start function; engines that do not count refuse it.
        let _ = store.set_fuel(100_000);
        store.limiter(|host| &mut host.limits);
        let mut side = Side {
            store,
            exports: Vec::new(),
            functions: Vec::new(),
            recursive: Vec::new(),
            fuel: None,
            events: Vec::new(),
        };
        if is_world {
            let ty = GlobalType {
                content: ValType::I32,
                mutability: Mutability::Var,
            };
            for _ in Event::NAMES {
                let global = Global::new(&mut side.store, ty, Val::I32(0));
                side.events
                    .push(global.map_err(|error| Ending::of(&error))?);
            }
            side.fuel = side.events.first().copied();
        }
        for (index, wasm) in modules.iter().enumerate() {
            side.instantiate(engine, wasm, index, seed)
                .map_err(|error| Ending::of(&error))?;
        }
        Ok(side)
    }

    /// Adds an instance; its exports are named after it.
    fn instantiate(
        &mut self,
        engine: &Engine,
        wasm: &[u8],
        index: usize,
        seed: u64,
    ) -> Result<(), Error> {
        let module = Module::new(engine, wasm)?;
        let imports = self.imports(&module, seed)?;
        let instance = Instance::new(&mut self.store, &module, &imports)?;
        for (name, item) in instance.exports(&self.store) {
            match item.into_func() {
                Some(func) if name == OVER => self.recursive.push(func),
                Some(func) => self.functions.push(func),
                None if name == shapes::FUEL => self.fuel = item.into_global(),
                None => {}
            }
            self.exports.push((format!("w{index}.{name}"), item));
        }
        Ok(())
    }

    /// Something of the right type for each import.
    fn imports(&mut self, module: &Module, seed: u64) -> Result<Vec<Extern>, Error> {
        let mut imports = Vec::new();
        for import in module.imports() {
            let name = format!("{}.{}", import.module, import.name);
            let exported = self.exports.iter().find(|(other, _)| *other == name);
            if let Some((_, item)) = exported {
                imports.push(*item);
                continue;
            }
            let event = Event::NAMES.iter().position(|event| *event == import.name);
            let event = event.and_then(|event| self.events.get(event));
            if let (Some(event), "host") = (event, import.module) {
                imports.push((*event).into());
                continue;
            }
            let store = &mut self.store;
            imports.push(match import.ty {
                ExternType::Func(ty) => host::function(store, import.name, ty, seed).into(),
                ExternType::Table(ty) => {
                    Table::new(&mut *store, ty, Ref::null(ty.element.heap))?.into()
                }
                ExternType::Memory(ty) => Memory::new(&mut *store, ty)?.into(),
                ExternType::Global(ty) => {
                    Global::new(&mut *store, ty, default_of(ty.content)?)?.into()
                }
                ExternType::Tag(ty) => Tag::new(&mut *store, &ty)?.into(),
            });
        }
        Ok(imports)
    }

    fn set_fuel(&mut self, units: u64) {
        let set = self.store.set_fuel(units);
        set.expect("an engine that counts");
    }

    fn call(&mut self, func: Func, args: &[Val]) -> Ending {
        if let Some(fuel) = self.fuel {
            let full = Val::I32(shapes::FUEL_PER_CALL);
            fuel.set(&mut self.store, full).expect("a mutable global");
        }
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
