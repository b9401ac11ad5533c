//! Functions: wasm's and the host's, called from the host.

mod host;
mod typed;

pub use host::{Caller, IntoFunc, WasmRet, WasmTy};
pub(crate) use host::{HostCall, HostFunc};
pub use typed::{TypedFunc, WasmParams, WasmResults};

use crate::error::{Error, Result};
use crate::handle::Stored;
use crate::store::{AsContext, AsContextMut, StoreOpaque};
use crate::val::Val;
use crate::vmctx::FuncRef;
use core::ptr::NonNull;
use std::sync::Arc;
use zwasm_core::FuncType;

/// A function of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Func(pub(crate) Stored<FuncRef>);

impl Func {
    /// Makes a function from a host closure of any supported signature.
    ///
    /// # Panics
    /// When the host has no memory for machine code.
    pub fn wrap<T: 'static, P, R>(
        mut store: impl AsContextMut<Data = T>,
        func: impl IntoFunc<T, P, R>,
    ) -> Func {
        let store = store.as_context_mut().into_inner().opaque_mut();
        let func = func.into_host_func(store.engine());
        made(store.new_host_func(func.into()))
    }

    /// Makes a function of a type known only at run time. The closure gets the arguments and a
    /// slice of default results to overwrite.
    ///
    /// # Panics
    /// When the type mentions types of another engine than the store's, or has more than 1000
    /// parameters or results. When the host has no memory for machine code.
    pub fn new<T: 'static>(
        mut store: impl AsContextMut<Data = T>,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Func {
        let store = store.as_context_mut().into_inner().opaque_mut();
        let func = made(HostFunc::dynamic(store.engine(), ty, func));
        made(store.new_host_func(Arc::new(func)))
    }

    fn record<'a>(&self, store: &'a StoreOpaque) -> &'a FuncRef {
        // SAFETY: the record belongs to this store, which is borrowed for as long.
        unsafe { self.0.pointer(store.id()).as_ref() }
    }

    pub(crate) fn func_type(&self, store: &StoreOpaque) -> Arc<FuncType> {
        store.engine().inner().types.get(self.record(store).sig())
    }

    /// The function's type.
    pub fn ty(&self, store: impl AsContext) -> FuncType {
        (*self.func_type(store.as_context().inner().opaque())).clone()
    }

    /// Calls the function.
    ///
    /// # Panics
    /// When the function is another store's.
    ///
    /// # Errors
    /// When the number or types of arguments are wrong, `results` has the wrong length, or the
    /// call ends in a trap, an exception or a host error. `results` is unchanged then. References of
    /// other stores are arguments of a wrong type.
    pub fn call(
        &self,
        mut store: impl AsContextMut,
        args: &[Val],
        results: &mut [Val],
    ) -> Result<()> {
        let store = store.as_context_mut().into_inner().opaque_mut();
        let ty = self.func_type(store);
        if args.len() != ty.params().len() {
            return Err(Error::usage(format!(
                "expected {} arguments, got {}",
                ty.params().len(),
                args.len()
            )));
        }
        if results.len() != ty.results().len() {
            return Err(Error::usage(format!(
                "expected room for {} results, got {}",
                ty.results().len(),
                results.len()
            )));
        }
        let mut slots = vec![0; ty.param_slots().max(ty.result_slots()) as usize];
        let mut at = 0;
        for (arg, &ty) in args.iter().zip(ty.params()) {
            write_raw(&mut slots, &mut at, arg.to_raw(store, ty)?, ty);
        }
        invoke(store, self.0.pointer(store.id()), &mut slots)?;
        let mut at = 0;
        for (result, &ty) in results.iter_mut().zip(ty.results()) {
            *result = Val::from_raw(store, read_raw(&slots, &mut at, ty), ty);
        }
        Ok(())
    }

    /// The function with its signature checked once, for fast calls.
    ///
    /// # Errors
    /// When the signature differs.
    pub fn typed<P: WasmParams, R: WasmResults>(
        &self,
        store: impl AsContext,
    ) -> Result<TypedFunc<P, R>> {
        let context = store.as_context();
        TypedFunc::check(*self, context.inner().opaque())
    }
}

/// What was made, if it could be.
fn made<T>(result: Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("the function cannot be made: {error}"))
}

fn write_raw(slots: &mut [u64], at: &mut usize, raw: [u64; 2], ty: zwasm_core::ValType) {
    let count = ty.slots() as usize;
    slots[*at..*at + count].copy_from_slice(&raw[..count]);
    *at += count;
}

fn read_raw(slots: &[u64], at: &mut usize, ty: zwasm_core::ValType) -> [u64; 2] {
    let count = ty.slots() as usize;
    let mut raw = [0; 2];
    raw[..count].copy_from_slice(&slots[*at..*at + count]);
    *at += count;
    raw
}

/// Calls a function of the store with raw arguments in `slots`, where the results end up.
pub(crate) fn invoke(
    store: &mut StoreOpaque,
    func: NonNull<FuncRef>,
    slots: &mut [u64],
) -> Result<()> {
    // SAFETY: callers pass a function of this store.
    let record = unsafe { func.as_ref() };
    if record.host.is_null() {
        store.runner.call(store, record, slots)
    } else {
        // SAFETY: the store keeps its host functions alive.
        let host = unsafe { &*record.host };
        host.call(HostCall {
            store: core::ptr::from_mut(store),
            caller: core::ptr::null_mut(),
            slots: slots.as_mut_ptr(),
        })
    }
}
