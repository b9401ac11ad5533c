//! What the host does when guests call it: it looks at its caller, changes it, calls back, fails.
//!
//! The seed and the number of the call decide. Everything that is seen goes into a digest, which
//! instance called first of all, so that a wrong caller is a difference.

use crate::setup::THREAD_STACK_BYTES;
use crate::shapes::recursion::{AGAIN, RING};
use crate::shapes::world::ID;
use crate::values::{argument, described, integer};
use fastrand::Rng;
use zwasm::{
    AsContextMut, Caller, Error, Extern, Func, FuncType, Limits, Mutability, Ref, Store,
    StoreContextMut, TrapCode, Val, ValType,
};

/// How deep host functions may be nested that call back.
const MAX_DEPTH: u32 = 3;
/// How much of a memory the host looks at.
const LOOK_BYTES: usize = 64;
/// Exported functions have indices below this.
const MAX_EXPORTS: u32 = 12;

/// How many names and elements are looked at for a function to call back.
const TRIES: u32 = 6;

/// What a store holds for its host functions.
pub(crate) struct Host {
    pub(crate) limits: Limits,
    pub(crate) calls: u64,
    /// A digest of what host functions were called with and saw.
    pub(crate) digest: u64,
    /// Calls back into the guest.
    pub(crate) reentered: u64,
    /// Those on another thread.
    pub(crate) threads: u64,
    depth: u32,
}

impl Host {
    pub(crate) fn new(limits: Limits) -> Host {
        Host {
            limits,
            calls: 0,
            digest: 0,
            reentered: 0,
            threads: 0,
            depth: 0,
        }
    }

    fn see(&mut self, word: u64) {
        self.digest = (self.digest.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn see_values(&mut self, values: &[Val]) {
        for value in values {
            let (bits, _) = described(value, &[]);
            self.see(bits as u64 ^ (bits >> 64) as u64);
        }
    }
}

/// The host function of a name.
pub(crate) fn function(store: &mut Store<Host>, name: &str, ty: FuncType, seed: u64) -> Func {
    let results = ty.results().to_vec();
    if let Some(element) = name.strip_prefix(AGAIN) {
        let element = element.parse().unwrap_or_default();
        return again(store, ty, element);
    }
    let looks = name == "look" || name == "act";
    let acts = name == "act";
    let host = move |mut caller: Caller<'_, Host>, args: &[Val], out: &mut [Val]| {
        let host = caller.data_mut();
        host.calls += 1;
        host.see_values(args);
        let mut rng = Rng::with_seed(seed ^ host.calls);
        if looks {
            look(&mut caller, &mut rng);
        }
        if acts {
            for _ in 0..rng.u8(1..=3) {
                act(&mut caller, &mut rng)?;
            }
            // Still the same caller.
            look(&mut caller, &mut rng);
        }
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

/// Calls an element of the caller's ring with zeros, and leaves no trace.
fn again(store: &mut Store<Host>, ty: FuncType, element: u64) -> Func {
    let host = move |mut caller: Caller<'_, Host>, args: &[Val], out: &mut [Val]| {
        let ring = caller.get_export(RING).and_then(Extern::into_table);
        let ring = ring.ok_or_else(|| Error::message("another caller"))?;
        match ring.get(&caller, element) {
            Some(Ref::Func(Some(func))) => func.call(&mut caller, args, out),
            _ => Err(Error::message("the ring is open")),
        }
    };
    Func::new(store, ty, host)
}

/// Reads exports of the caller.
fn look(caller: &mut Caller<'_, Host>, rng: &mut Rng) {
    let id = caller.get_export(ID).and_then(Extern::into_global);
    let id = id.map(|id| id.get(&*caller));
    caller.data_mut().see_values(id.as_slice());
    let memory = caller.get_export(&format!("m{}", rng.u8(..4)));
    if let Some(memory) = memory.and_then(Extern::into_memory) {
        let pages = memory.size(&*caller);
        let data = memory.data(&*caller);
        let last = data.len().saturating_sub(LOOK_BYTES);
        let at = [0, rng.usize(..1 << 12), last][rng.usize(..3)].min(last);
        let seen = data.iter().skip(at).take(LOOK_BYTES);
        let seen = seen.fold(pages, |sum, &byte| {
            sum.rotate_left(7).wrapping_add(u64::from(byte))
        });
        caller.data_mut().see(seen);
    }
    let global = caller.get_export(&format!("g{}", rng.u8(..4)));
    if let Some(global) = global.and_then(Extern::into_global) {
        let value = global.get(&*caller);
        caller.data_mut().see_values(&[value]);
    }
}

/// Changes the caller, or calls back.
fn act(caller: &mut Caller<'_, Host>, rng: &mut Rng) -> Result<(), Error> {
    match rng.u8(..10) {
        0 | 1 => {
            let memory = caller.get_export(&format!("m{}", rng.u8(..3)));
            if let Some(memory) = memory.and_then(Extern::into_memory) {
                let size = memory.data_size(&*caller) as u64;
                let at = [rng.u64(..1 << 12), size.wrapping_sub(rng.u64(..16))][rng.usize(..2)];
                let bytes = integer(rng).to_le_bytes();
                let written = memory.write(&mut *caller, at as usize, &bytes).is_ok();
                caller.data_mut().see(u64::from(written));
            }
        }
        2 => {
            let memory = caller.get_export(&format!("m{}", rng.u8(..3)));
            if let Some(memory) = memory.and_then(Extern::into_memory) {
                let before = memory.grow(&mut *caller, 1).unwrap_or(u64::MAX);
                caller.data_mut().see(before);
            }
        }
        3 => {
            let name = if rng.bool() { "table" } else { "own" };
            if let Some(table) = caller.get_export(name).and_then(Extern::into_table) {
                let null = Ref::null(table.ty(&*caller).element.heap);
                let before = table.grow(&mut *caller, rng.u64(..3), null);
                caller.data_mut().see(before.unwrap_or(u64::MAX));
            }
        }
        4 => {
            let global = caller.get_export(&format!("g{}", rng.u8(..4)));
            if let Some(global) = global.and_then(Extern::into_global) {
                let ty = global.ty(&*caller);
                let value = argument(rng, ty.content);
                if let (Mutability::Var, Some(value)) = (ty.mutability, value) {
                    global.set(&mut *caller, value)?;
                }
            }
        }
        5..=7 => {
            // Few of the names are there: the first that is.
            let from = rng.u32(..MAX_EXPORTS);
            let func = (from..from + TRIES).find_map(|number| {
                let name = format!("f{}", number % MAX_EXPORTS);
                caller.get_export(&name).and_then(Extern::into_func)
            });
            if let Some(func) = func {
                enter(caller, func, rng)?;
            }
        }
        _ => {
            let name = if rng.bool() { "table" } else { "own" };
            if let Some(table) = caller.get_export(name).and_then(Extern::into_table) {
                let from = rng.u64(..table.size(&*caller) + 1);
                let mut elements =
                    (from..from + u64::from(TRIES)).map(|at| table.get(&*caller, at));
                let func = elements.find_map(|element| match element {
                    Some(Ref::Func(func)) => func,
                    _ => None,
                });
                if let Some(func) = func {
                    enter(caller, func, rng)?;
                }
            }
        }
    }
    Ok(())
}

/// Calls back, from another thread now and then; what fails there may go on to the guest.
fn enter(caller: &mut Caller<'_, Host>, func: Func, rng: &mut Rng) -> Result<(), Error> {
    if caller.data().depth >= MAX_DEPTH {
        return Ok(());
    }
    let ty = func.ty(&*caller);
    let args = ty.params().iter().map(|&ty| argument(rng, ty));
    let Some(args) = args.collect::<Option<Vec<Val>>>() else {
        return Ok(());
    };
    let mut results = vec![Val::I32(0); ty.results().len()];
    let elsewhere = rng.u8(..4) == 0;
    let host = caller.data_mut();
    host.depth += 1;
    host.reentered += 1;
    host.threads += u64::from(elsewhere);
    let ended = if elsewhere {
        let context: StoreContextMut<'_, Host> = caller.as_context_mut();
        on_thread(|| func.call(context, &args, &mut results))
    } else {
        func.call(&mut *caller, &args, &mut results)
    };
    let host = caller.data_mut();
    host.depth -= 1;
    match ended {
        Ok(()) => host.see_values(&results),
        Err(error) => {
            // Where the stack ends, tiers differ: nobody may miss it.
            let is_exhaustion = error.trap_code() == Some(TrapCode::StackOverflow);
            if is_exhaustion || rng.u8(..4) != 0 {
                return Err(error);
            }
            host.see(error.trap_code().map_or(99, |code| code as u64));
        }
    }
    Ok(())
}

/// Does something on a thread of its own.
pub(crate) fn on_thread<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(THREAD_STACK_BYTES);
        let thread = thread.spawn_scoped(scope, work).expect("a thread");
        match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Something of a type, as what a global starts with.
pub(crate) fn default_of(ty: ValType) -> Result<Val, Error> {
    Val::default_of(ty).ok_or_else(|| Error::message("there is no such value"))
}
