//! Globals: one 16-byte cell each, in the VM context of the instance that defines it.

use crate::error::{Error, Result};
use crate::handle::Stored;
use crate::store::{AsContext, AsContextMut, StoreOpaque};
use crate::val::Val;
use zwasm_core::{GlobalType, Mutability};

/// A global as its store keeps it.
#[derive(Debug)]
pub(crate) struct GlobalInst {
    pub(crate) ty: GlobalType,
    /// The cell: in an instance's VM context, or in `own`.
    pub(crate) cell: *mut [u64; 2],
    /// The cell of a global that the host made.
    pub(crate) _own: Option<Box<[u64; 2]>>,
}

// SAFETY: the cell lives as long as the store and is accessed under a borrow of it.
unsafe impl Send for GlobalInst {}
// SAFETY: as above.
unsafe impl Sync for GlobalInst {}

/// A global of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Global(pub(crate) Stored<GlobalInst>);

impl Global {
    /// Makes a global.
    ///
    /// # Errors
    /// When the value is not of the type, or the type mentions one of another engine.
    pub fn new(mut store: impl AsContextMut, ty: GlobalType, value: Val) -> Result<Global> {
        let store = store.as_context_mut().into_inner().opaque_mut();
        store.types.hold(ty.content)?;
        let raw = value.to_raw(store, ty.content)?;
        Ok(store.new_host_global(ty, raw))
    }

    fn inst<'a>(&self, store: &'a StoreOpaque) -> &'a GlobalInst {
        // SAFETY: the record belongs to this store, which is borrowed for as long.
        unsafe { self.0.pointer(store.id()).as_ref() }
    }

    /// The type.
    pub fn ty(&self, store: impl AsContext) -> GlobalType {
        self.inst(store.as_context().inner().opaque()).ty
    }

    /// The current value.
    pub fn get(&self, store: impl AsContext) -> Val {
        let context = store.as_context();
        let store = context.inner().opaque();
        let global = self.inst(store);
        // SAFETY: the cell is live while its store is.
        let raw = unsafe { *global.cell };
        Val::from_raw(store, raw, global.ty.content)
    }

    /// Assigns a value.
    ///
    /// # Errors
    /// When the global is constant or the value is not of its type.
    pub fn set(&self, mut store: impl AsContextMut, value: Val) -> Result<()> {
        let store = store.as_context_mut().into_inner().opaque_mut();
        let ty = self.inst(store).ty;
        if ty.mutability == Mutability::Const {
            return Err(Error::usage("cannot assign a constant global"));
        }
        let raw = value.to_raw(store, ty.content)?;
        // SAFETY: the cell is live while its store is, which is borrowed mutably.
        unsafe { *self.inst(store).cell = raw };
        Ok(())
    }
}
