//! Values as the embedder sees them, and their raw form in value slots.
//!
//! Raw references are 64-bit: a function reference is the address of its `FuncRef`; host objects
//! and exceptions are their number in the store plus one; null is 0.

use crate::error::{Error, Result};
use crate::func::Func;
use crate::handle::Stored;
use crate::store::StoreOpaque;
use core::ptr::NonNull;
use zwasm_core::{HeapType, RefType, ValType};

/// A WebAssembly value.
#[derive(Clone, Copy, Debug)]
pub enum Val {
    /// 32-bit integer.
    I32(i32),
    /// 64-bit integer.
    I64(i64),
    /// 32-bit float, as its bits, which keeps NaN payloads.
    F32(u32),
    /// 64-bit float, as its bits.
    F64(u64),
    /// 128-bit vector, lane 0 in the low bits.
    V128(u128),
    /// Reference.
    Ref(Ref),
}

/// A reference value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ref {
    /// A function or null.
    Func(Option<Func>),
    /// A host object or null.
    Extern(Option<ExternRef>),
    /// An exception or null.
    Exn(Option<ExnRef>),
}

/// A host object given to a guest; see [`ExternRef::new`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExternRef {
    pub(crate) store: crate::handle::StoreId,
    pub(crate) index: u64,
}

/// An exception that a guest threw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExnRef {
    pub(crate) store: crate::handle::StoreId,
    pub(crate) raw: u64,
}

impl ExternRef {
    /// Gives a host object to the store; it lives as long as the store does.
    pub fn new(
        mut store: impl crate::AsContextMut,
        value: impl core::any::Any + Send + Sync,
    ) -> ExternRef {
        let store = store.as_context_mut().into_inner().opaque_mut();
        let index = store.externs.len() as u64;
        store.externs.push(Box::new(value));
        ExternRef {
            store: store.id(),
            index,
        }
    }

    /// The host object.
    ///
    /// # Panics
    /// When the reference belongs to another store.
    pub fn data<'a, T: 'static>(
        &self,
        store: impl Into<crate::StoreContext<'a, T>>,
    ) -> &'a (dyn core::any::Any + Send + Sync) {
        let store = store.into().inner().opaque();
        assert!(
            self.store == store.id(),
            "a reference was used with another store"
        );
        &*store.externs[usize::try_from(self.index).expect("an index of this store")]
    }
}

impl From<i32> for Val {
    fn from(value: i32) -> Val {
        Val::I32(value)
    }
}
impl From<i64> for Val {
    fn from(value: i64) -> Val {
        Val::I64(value)
    }
}
impl From<f32> for Val {
    fn from(value: f32) -> Val {
        Val::F32(value.to_bits())
    }
}
impl From<f64> for Val {
    fn from(value: f64) -> Val {
        Val::F64(value.to_bits())
    }
}
impl From<u128> for Val {
    fn from(value: u128) -> Val {
        Val::V128(value)
    }
}
impl From<Func> for Val {
    fn from(value: Func) -> Val {
        Val::Ref(Ref::Func(Some(value)))
    }
}
impl From<ExternRef> for Val {
    fn from(value: ExternRef) -> Val {
        Val::Ref(Ref::Extern(Some(value)))
    }
}

macro_rules! accessor {
    ($name:ident, $variant:ident($bits:ident) -> $ty:ty, $value:expr) => {
        /// The value, if it is of this type.
        #[must_use]
        pub fn $name(&self) -> Option<$ty> {
            match *self {
                Val::$variant($bits) => Some($value),
                _ => None,
            }
        }
    };
}

impl Val {
    accessor!(i32, I32(v) -> i32, v);
    accessor!(i64, I64(v) -> i64, v);
    accessor!(f32, F32(v) -> f32, f32::from_bits(v));
    accessor!(f64, F64(v) -> f64, f64::from_bits(v));
    accessor!(v128, V128(v) -> u128, v);
    accessor!(reference, Ref(v) -> Ref, v);

    /// The default value of a type: zero or null; `None` for references that cannot be null.
    #[must_use]
    pub fn default_of(ty: ValType) -> Option<Val> {
        Some(match ty {
            ValType::I32 => Val::I32(0),
            ValType::I64 => Val::I64(0),
            ValType::F32 => Val::F32(0),
            ValType::F64 => Val::F64(0),
            ValType::V128 => Val::V128(0),
            ValType::Ref(RefType {
                nullable: false, ..
            }) => return None,
            ValType::Ref(RefType { heap, .. }) => Val::Ref(Ref::null(heap)),
        })
    }

    /// The value's slots, checked against the type it must have.
    pub(crate) fn to_raw(self, store: &StoreOpaque, ty: ValType) -> Result<[u64; 2]> {
        Ok(match (self, ty) {
            (Val::I32(v), ValType::I32) => [u64::from(v as u32), 0],
            (Val::I64(v), ValType::I64) => [v as u64, 0],
            (Val::F32(v), ValType::F32) => [u64::from(v), 0],
            (Val::F64(v), ValType::F64) => [v, 0],
            (Val::V128(v), ValType::V128) => [v as u64, (v >> 64) as u64],
            (Val::Ref(v), ValType::Ref(ty)) => [v.to_raw(store, ty)?, 0],
            _ => {
                return Err(Error::usage(format!(
                    "expected a value of type {ty}, got {self:?}"
                )));
            }
        })
    }

    pub(crate) fn from_raw(store: &StoreOpaque, raw: [u64; 2], ty: ValType) -> Val {
        match ty {
            ValType::I32 => Val::I32(raw[0] as i32),
            ValType::I64 => Val::I64(raw[0] as i64),
            ValType::F32 => Val::F32(raw[0] as u32),
            ValType::F64 => Val::F64(raw[0]),
            ValType::V128 => Val::V128(u128::from(raw[0]) | u128::from(raw[1]) << 64),
            ValType::Ref(ty) => Val::Ref(Ref::from_raw(store, raw[0], ty)),
        }
    }
}

impl Ref {
    /// The null of a heap type's hierarchy.
    #[must_use]
    pub fn null(heap: HeapType) -> Ref {
        match heap.top() {
            HeapType::Extern => Ref::Extern(None),
            HeapType::Exn => Ref::Exn(None),
            _ => Ref::Func(None),
        }
    }

    /// Whether the reference is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Ref::Func(None) | Ref::Extern(None) | Ref::Exn(None))
    }

    pub(crate) fn to_raw(self, store: &StoreOpaque, ty: RefType) -> Result<u64> {
        let foreign = || Error::usage("a reference was used with another store");
        let mismatch = || {
            Error::usage(format!(
                "expected a value of type {}, got {self:?}",
                ValType::Ref(ty)
            ))
        };
        if self.is_null() {
            let same_hierarchy = Ref::null(ty.heap) == self;
            return if ty.nullable && same_hierarchy {
                Ok(0)
            } else {
                Err(mismatch())
            };
        }
        match (self, ty.heap) {
            (Ref::Func(Some(func)), heap) => {
                if !func.0.belongs_to(store.id()) {
                    return Err(foreign());
                }
                let pointer = func.0.pointer(store.id());
                // SAFETY: the record belongs to this store, which is borrowed.
                let sig = unsafe { pointer.as_ref() }.sig();
                if HeapType::Concrete(sig).matches(heap) {
                    Ok(pointer.as_ptr() as u64)
                } else {
                    Err(mismatch())
                }
            }
            (Ref::Extern(Some(value)), HeapType::Extern) => {
                if value.store != store.id() {
                    return Err(foreign());
                }
                Ok(value.index + 1)
            }
            (Ref::Exn(Some(value)), HeapType::Exn) => {
                if value.store != store.id() {
                    return Err(foreign());
                }
                Ok(value.raw)
            }
            _ => Err(mismatch()),
        }
    }

    pub(crate) fn from_raw(store: &StoreOpaque, raw: u64, ty: RefType) -> Ref {
        match (ty.heap.top(), raw) {
            (heap, 0) => Ref::null(heap),
            (HeapType::Extern, _) => Ref::Extern(Some(ExternRef {
                store: store.id(),
                index: raw - 1,
            })),
            (HeapType::Exn, _) => {
                store.exceptions.get(raw).pinned.set(true);
                Ref::Exn(Some(ExnRef {
                    store: store.id(),
                    raw,
                }))
            }
            _ => {
                let pointer = NonNull::new(raw as *mut _).expect("null was handled above");
                // SAFETY: a non-null function reference in a slot of this store is the address of
                // a record of this store.
                Ref::Func(Some(Func(unsafe { Stored::new(store.id(), pointer) })))
            }
        }
    }
}
