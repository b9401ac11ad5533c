//! Host functions: closures of any arity behind one calling convention, raw value slots.

use super::{Func, read_raw, write_raw};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::extern_::Extern;
use crate::instance::InstanceData;
use crate::store::{StoreInner, StoreOpaque};
use crate::types::HeldTypes;
use crate::val::{ExternRef, Ref, Val};
use core::fmt;
use core::sync::atomic::Ordering;
use std::sync::Arc;
use zwasm_core::{FuncType, SigId, ValType};

/// One call of a host function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostCall {
    pub(crate) store: *mut StoreOpaque,
    /// The calling instance, null when the host calls.
    pub(crate) caller: *mut InstanceData,
    /// Arguments on entry, results on return.
    pub(crate) slots: *mut u64,
}

/// As many parameters, and results, as functions of modules may have.
const MAX_VALUES: usize = 1000;

type HostClosure = Box<dyn Fn(HostCall) -> Result<()> + Send + Sync>;

/// A function implemented by the host.
pub(crate) struct HostFunc {
    /// What keeps the signature.
    types: HeldTypes,
    pub(crate) sig: SigId,
    pub(crate) param_slots: u32,
    pub(crate) result_slots: u32,
    closure: HostClosure,
}

impl fmt::Debug for HostFunc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostFunc")
            .field("sig", &self.sig)
            .finish_non_exhaustive()
    }
}

impl HostFunc {
    fn new(engine: &Engine, ty: FuncType, closure: HostClosure) -> Result<HostFunc> {
        let (param_slots, result_slots) = (ty.param_slots(), ty.result_slots());
        let mut types = HeldTypes::new(engine);
        Ok(HostFunc {
            sig: types.intern(ty)?,
            types,
            param_slots,
            result_slots,
            closure,
        })
    }

    /// The engine that the signature is a type of.
    pub(crate) fn engine(&self) -> &Engine {
        self.types.engine()
    }

    pub(crate) fn call(&self, call: HostCall) -> Result<()> {
        (self.closure)(call)
    }

    pub(crate) fn dynamic<T: 'static>(
        engine: &Engine,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<HostFunc> {
        let too_many = [ty.params(), ty.results()]
            .into_iter()
            .any(|types| types.len() > MAX_VALUES);
        if too_many {
            return Err(Error::usage(format!(
                "a function has at most {MAX_VALUES} parameters and as many results"
            )));
        }
        let own_ty = ty.clone();
        let slot_count = ty.param_slots().max(ty.result_slots()) as usize;
        HostFunc::new(
            engine,
            ty,
            Box::new(move |call| {
                // SAFETY: the runtime passes as many slots as the type needs, and the store that
                // the function was made for.
                let (slots, caller) = unsafe {
                    (
                        core::slice::from_raw_parts_mut(call.slots, slot_count),
                        Caller::new(&call),
                    )
                };
                let store = caller.store.opaque();
                let mut at = 0;
                let args: Vec<Val> = own_ty
                    .params()
                    .iter()
                    .map(|&ty| Val::from_raw(store, read_raw(slots, &mut at, ty), ty))
                    .collect();
                let mut results: Vec<Val> = own_ty
                    .results()
                    .iter()
                    .map(|&ty| Val::default_of(ty).unwrap_or(Val::Ref(Ref::Func(None))))
                    .collect();
                func(caller, &args, &mut results)?;
                // SAFETY: as above; the closure's borrow of the store has ended.
                let store = unsafe { &*call.store };
                let mut at = 0;
                for (result, &ty) in results.iter().zip(own_ty.results()) {
                    let raw = result.to_raw(store, ty)?;
                    write_raw(slots, &mut at, raw, ty);
                }
                Ok(())
            }),
        )
    }
}

/// What a host function sees of the guest that calls it.
#[derive(Debug)]
pub struct Caller<'a, T: 'static> {
    pub(crate) store: &'a mut StoreInner<T>,
    instance: *mut InstanceData,
}

impl<T: 'static> Caller<'_, T> {
    /// # Safety
    /// `call.store` is the opaque part of a `StoreInner<T>` that nobody else borrows for as long
    /// as the caller lives.
    unsafe fn new<'a>(call: &HostCall) -> Caller<'a, T> {
        // SAFETY: by the contract above; the opaque part is the first field.
        let store = unsafe { &mut *call.store.cast::<StoreInner<T>>() };
        Caller {
            store,
            instance: call.caller,
        }
    }

    /// The store's data.
    #[must_use]
    pub fn data(&self) -> &T {
        &self.store.data
    }

    /// The store's data, mutably.
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.store.data
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        self.store.opaque().engine()
    }

    /// An export of the calling instance; `None` when there is none of that name, or when the
    /// host called.
    #[must_use]
    pub fn get_export(&mut self, name: &str) -> Option<Extern> {
        if self.instance.is_null() {
            return None;
        }
        // SAFETY: the calling instance lives in this store.
        let instance = unsafe { &*self.instance };
        instance.export(self.store.opaque().id(), name)
    }

    /// Whether another thread asked the guest to stop. Host functions that wait should look.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.store.opaque().limits.interrupt.load(Ordering::Relaxed) != 0
    }

    /// A handle that tells the same, for host functions that wait while they borrow the guest's
    /// memory from the caller.
    #[must_use]
    pub fn interrupt_handle(&self) -> crate::InterruptHandle {
        self.store.opaque().interrupt_handle()
    }

    /// The fuel left; see [`Store::get_fuel`](crate::Store::get_fuel).
    ///
    /// # Errors
    /// When the engine does not count fuel.
    pub fn get_fuel(&self) -> Result<u64> {
        self.store.opaque().get_fuel()
    }

    /// Sets the fuel left; see [`Store::set_fuel`](crate::Store::set_fuel).
    ///
    /// # Errors
    /// When the engine does not count fuel.
    pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.store.opaque_mut().set_fuel(fuel)
    }
}

/// A Rust type that stands for a WebAssembly value type.
pub trait WasmTy: Copy {
    /// The value type.
    #[doc(hidden)]
    fn val_type() -> ValType;
    #[doc(hidden)]
    fn from_slots(store: &StoreRef<'_>, slots: &[u64]) -> Self;
    #[doc(hidden)]
    fn into_slots(self, store: &StoreRef<'_>, slots: &mut [u64]) -> Result<()>;
}

/// A store, for conversions of references.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct StoreRef<'a>(pub(crate) &'a StoreOpaque);

impl fmt::Debug for StoreRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreRef")
    }
}

macro_rules! wasm_ty {
    ($($ty:ty, $val:ident, |$slot:ident| $from:expr, |$v:ident| $into:expr;)*) => {$(
        impl WasmTy for $ty {
            fn val_type() -> ValType {
                ValType::$val
            }
            #[inline]
            fn from_slots(_: &StoreRef<'_>, slots: &[u64]) -> Self {
                let $slot = slots[0];
                $from
            }
            #[inline]
            fn into_slots(self, _: &StoreRef<'_>, slots: &mut [u64]) -> Result<()> {
                let $v = self;
                slots[0] = $into;
                Ok(())
            }
        }
    )*};
}
wasm_ty! {
    i32, I32, |s| s as i32, |v| u64::from(v as u32);
    u32, I32, |s| s as u32, |v| u64::from(v);
    i64, I64, |s| s as i64, |v| v as u64;
    u64, I64, |s| s, |v| v;
    f32, F32, |s| f32::from_bits(s as u32), |v| u64::from(v.to_bits());
    f64, F64, |s| f64::from_bits(s), |v| v.to_bits();
}

impl WasmTy for u128 {
    fn val_type() -> ValType {
        ValType::V128
    }
    fn from_slots(_: &StoreRef<'_>, slots: &[u64]) -> Self {
        u128::from(slots[0]) | u128::from(slots[1]) << 64
    }
    fn into_slots(self, _: &StoreRef<'_>, slots: &mut [u64]) -> Result<()> {
        slots[..2].copy_from_slice(&[self as u64, (self >> 64) as u64]);
        Ok(())
    }
}

macro_rules! wasm_ref_ty {
    ($ty:ty, $variant:ident, $val:ident) => {
        impl WasmTy for Option<$ty> {
            fn val_type() -> ValType {
                ValType::$val
            }
            fn from_slots(store: &StoreRef<'_>, slots: &[u64]) -> Self {
                match Ref::from_raw(store.0, slots[0], zwasm_core::RefType::$val) {
                    Ref::$variant(value) => value,
                    other => unreachable!("{other:?} has another hierarchy"),
                }
            }
            fn into_slots(self, store: &StoreRef<'_>, slots: &mut [u64]) -> Result<()> {
                slots[0] = Ref::$variant(self).to_raw(store.0, zwasm_core::RefType::$val)?;
                Ok(())
            }
        }
    };
}
wasm_ref_ty!(Func, Func, FUNCREF);
wasm_ref_ty!(ExternRef, Extern, EXTERNREF);

/// What a host closure may return: `()`, one value, a tuple of values, or a `Result` of those.
pub trait WasmRet {
    #[doc(hidden)]
    fn val_types() -> Vec<ValType>;
    #[doc(hidden)]
    fn store(self, store: &StoreRef<'_>, slots: &mut [u64]) -> Result<()>;
}

impl<V: WasmTy> WasmRet for V {
    fn val_types() -> Vec<ValType> {
        vec![V::val_type()]
    }
    fn store(self, store: &StoreRef<'_>, slots: &mut [u64]) -> Result<()> {
        self.into_slots(store, slots)
    }
}

impl<R: WasmRet> WasmRet for Result<R, Error> {
    fn val_types() -> Vec<ValType> {
        R::val_types()
    }
    fn store(self, store: &StoreRef<'_>, slots: &mut [u64]) -> Result<()> {
        self?.store(store, slots)
    }
}

macro_rules! wasm_ret_tuple {
    ($($name:ident)*) => {
        #[allow(non_snake_case, unused_variables, unused_mut, unused_assignments, reason = "one macro for every arity")]
        impl<$($name: WasmTy),*> WasmRet for ($($name,)*) {
            fn val_types() -> Vec<ValType> {
                vec![$($name::val_type()),*]
            }
            fn store(self, store: &StoreRef<'_>, slots: &mut [u64]) -> Result<()> {
                let ($($name,)*) = self;
                let mut at = 0;
                $(
                    $name.into_slots(store, &mut slots[at..])?;
                    at += $name::val_type().slots() as usize;
                )*
                Ok(())
            }
        }
    };
}

/// A closure that can become a host function: up to sixteen parameters, with or without a leading
/// [`Caller`].
pub trait IntoFunc<T, Params, Results>: Send + Sync + 'static {
    #[doc(hidden)]
    fn into_host_func(self, engine: &Engine) -> HostFuncBox;
}

/// A host function on its way into a linker or store.
#[doc(hidden)]
#[derive(Debug)]
pub struct HostFuncBox(pub(crate) HostFunc);

impl From<HostFuncBox> for Arc<HostFunc> {
    fn from(func: HostFuncBox) -> Self {
        Arc::new(func.0)
    }
}

macro_rules! into_func {
    ($($name:ident)*) => {
        #[allow(non_snake_case, unused_variables, unused_mut, unused_assignments, reason = "one macro for every arity")]
        impl<T: 'static, F, R, $($name: WasmTy),*> IntoFunc<T, ($($name,)*), R> for F
        where
            F: Fn($($name),*) -> R + Send + Sync + 'static,
            R: WasmRet,
        {
            fn into_host_func(self, engine: &Engine) -> HostFuncBox {
                let func = move |_: Caller<'_, T>, $($name: $name),*| self($($name),*);
                IntoFunc::<T, (Caller<'_, T>, $($name,)*), R>::into_host_func(func, engine)
            }
        }

        #[allow(non_snake_case, unused_variables, unused_mut, unused_assignments, reason = "one macro for every arity")]
        impl<T: 'static, F, R, $($name: WasmTy),*> IntoFunc<T, (Caller<'_, T>, $($name,)*), R> for F
        where
            F: Fn(Caller<'_, T>, $($name),*) -> R + Send + Sync + 'static,
            R: WasmRet,
        {
            fn into_host_func(self, engine: &Engine) -> HostFuncBox {
                let ty = FuncType::new([$($name::val_type()),*], R::val_types());
                let result_slots = ty.result_slots() as usize;
                let func = HostFunc::new(engine, ty, Box::new(move |call| {
                    // SAFETY: the runtime passes the store that the function was made for, and as
                    // many slots as its type needs.
                    let caller = unsafe { Caller::<T>::new(&call) };
                    let mut at = 0;
                    $(
                        let count = $name::val_type().slots() as usize;
                        // SAFETY: as above.
                        let slots = unsafe { core::slice::from_raw_parts(call.slots.add(at), count) };
                        let $name = $name::from_slots(&StoreRef(caller.store.opaque()), slots);
                        at += count;
                    )*
                    let result = self(caller, $($name),*);
                    // SAFETY: as above; the closure's borrow of the store has ended.
                    let (store, slots) = unsafe {
                        (&*call.store, core::slice::from_raw_parts_mut(call.slots, result_slots))
                    };
                    result.store(&StoreRef(store), slots)
                }));
                HostFuncBox(func.expect("the types of Rust values mention no others"))
            }
        }
    };
}

macro_rules! for_each_arity {
    ($m:ident) => {
        $m!();
        $m!(A1);
        $m!(A1 A2);
        $m!(A1 A2 A3);
        $m!(A1 A2 A3 A4);
        $m!(A1 A2 A3 A4 A5);
        $m!(A1 A2 A3 A4 A5 A6);
        $m!(A1 A2 A3 A4 A5 A6 A7);
        $m!(A1 A2 A3 A4 A5 A6 A7 A8);
        $m!(A1 A2 A3 A4 A5 A6 A7 A8 A9);
        $m!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10);
        $m!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11);
        $m!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12);
        $m!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13);
        $m!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14);
        $m!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14 A15);
        $m!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14 A15 A16);
    };
}
pub(super) use for_each_arity;

for_each_arity!(into_func);
for_each_arity!(wasm_ret_tuple);
