//! Functions whose signature was checked once: calls convert between Rust values and slots with
//! no further checks.

use super::host::{StoreRef, for_each_arity};
use super::{Func, WasmTy, invoke};
use crate::error::{Error, Result};
use crate::store::{AsContextMut, StoreOpaque};
use core::marker::PhantomData;
use zwasm_core::{FuncType, ValType};

/// Slots that a typed call keeps on the native stack.
const INLINE_SLOTS: usize = 32;

/// Parameters of a [`TypedFunc`]: one value or a tuple.
pub trait WasmParams {
    #[doc(hidden)]
    fn val_types() -> Vec<ValType>;
    #[doc(hidden)]
    fn store(self, store: &StoreRef<'_>, slots: &mut [u64]) -> Result<()>;
}

/// Results of a [`TypedFunc`]: `()`, one value or a tuple.
pub trait WasmResults: Sized {
    #[doc(hidden)]
    fn val_types() -> Vec<ValType>;
    #[doc(hidden)]
    fn load(store: &StoreRef<'_>, slots: &[u64]) -> Self;
}

impl<V: WasmTy> WasmParams for V {
    fn val_types() -> Vec<ValType> {
        vec![V::val_type()]
    }
    fn store(self, store: &StoreRef<'_>, slots: &mut [u64]) -> Result<()> {
        self.into_slots(store, slots)
    }
}

impl<V: WasmTy> WasmResults for V {
    fn val_types() -> Vec<ValType> {
        vec![V::val_type()]
    }
    fn load(store: &StoreRef<'_>, slots: &[u64]) -> Self {
        V::from_slots(store, slots)
    }
}

macro_rules! tuples {
    ($($name:ident)*) => {
        #[allow(non_snake_case, unused_variables, unused_mut, unused_assignments, clippy::unused_unit, reason = "one macro for every arity")]
        impl<$($name: WasmTy),*> WasmParams for ($($name,)*) {
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

        #[allow(non_snake_case, unused_variables, unused_mut, unused_assignments, clippy::unused_unit, reason = "one macro for every arity")]
        impl<$($name: WasmTy),*> WasmResults for ($($name,)*) {
            fn val_types() -> Vec<ValType> {
                vec![$($name::val_type()),*]
            }
            fn load(store: &StoreRef<'_>, slots: &[u64]) -> Self {
                let mut at = 0;
                $(
                    let $name = $name::from_slots(store, &slots[at..]);
                    at += $name::val_type().slots() as usize;
                )*
                ($($name,)*)
            }
        }
    };
}
for_each_arity!(tuples);

/// A function of a statically known signature.
#[derive(Debug)]
pub struct TypedFunc<P, R> {
    func: Func,
    slot_count: usize,
    signature: PhantomData<fn(P) -> R>,
}

impl<P, R> Clone for TypedFunc<P, R> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<P, R> Copy for TypedFunc<P, R> {}

impl<P: WasmParams, R: WasmResults> TypedFunc<P, R> {
    pub(super) fn check(func: Func, store: &StoreOpaque) -> Result<TypedFunc<P, R>> {
        let actual = func.func_type(store);
        let wanted = FuncType::new(P::val_types(), R::val_types());
        let params_fit = wanted.params().len() == actual.params().len()
            && wanted
                .params()
                .iter()
                .zip(actual.params())
                .all(|(w, a)| w.matches(*a));
        let results_fit = wanted.results().len() == actual.results().len()
            && actual
                .results()
                .iter()
                .zip(wanted.results())
                .all(|(a, w)| a.matches(*w));
        if !params_fit || !results_fit {
            return Err(Error::usage(format!(
                "the function has type {actual}, not {wanted}"
            )));
        }
        let slot_count = actual.param_slots().max(actual.result_slots()) as usize;
        Ok(TypedFunc {
            func,
            slot_count,
            signature: PhantomData,
        })
    }

    /// The function without its static signature.
    #[must_use]
    pub fn func(&self) -> Func {
        self.func
    }

    /// Calls the function.
    ///
    /// # Panics
    /// When the function is another store's.
    ///
    /// # Errors
    /// References of another store among the parameters, a trap, an exception or a host error.
    pub fn call(&self, mut store: impl AsContextMut, params: P) -> Result<R> {
        let store = store.as_context_mut().into_inner().opaque_mut();
        let mut inline = [0; INLINE_SLOTS];
        let mut heap;
        let slots = if self.slot_count <= INLINE_SLOTS {
            &mut inline[..]
        } else {
            heap = vec![0; self.slot_count];
            &mut heap[..]
        };
        params.store(&StoreRef(store), slots)?;
        invoke(store, self.func.0.pointer(store.id()), slots)?;
        Ok(R::load(&StoreRef(store), slots))
    }
}
