//! Tables: growable arrays of references.

use crate::error::{Error, Result};
use crate::handle::Stored;
use crate::store::{AsContext, AsContextMut, StoreOpaque};
use crate::val::Ref;
use crate::vmctx::TableDef;
use zwasm_core::TableType;

/// A table as its store keeps it. Elements are raw reference values, 0 is null.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct TableInst {
    /// What running code sees; first, so that a pointer to it is one to the record.
    pub(crate) def: TableDef,
    pub(crate) ty: TableType,
    elements: Vec<u64>,
    limit: u64,
}

// SAFETY: `def` points into `elements`, which the record owns; accesses take a borrow of the store.
unsafe impl Send for TableInst {}
// SAFETY: as above.
unsafe impl Sync for TableInst {}

impl TableInst {
    pub(crate) fn new(ty: TableType, init: u64, limit: u64) -> Result<TableInst> {
        let too_large =
            || Error::resource(format!("a table of {} elements is too large", ty.minimum));
        if ty.minimum > limit {
            return Err(too_large());
        }
        let length = usize::try_from(ty.minimum).map_err(|_| too_large())?;
        let mut elements = Vec::new();
        elements
            .try_reserve_exact(length)
            .map_err(|_| too_large())?;
        elements.resize(length, init);
        let mut table = TableInst {
            def: TableDef {
                base: core::ptr::null_mut(),
                length: 0,
            },
            ty,
            elements,
            limit,
        };
        table.publish();
        Ok(table)
    }

    fn publish(&mut self) {
        self.def = TableDef {
            base: self.elements.as_mut_ptr(),
            length: self.elements.len() as u64,
        };
    }

    pub(crate) fn len(&self) -> u64 {
        self.def.length
    }

    pub(crate) fn elements(&self) -> &[u64] {
        // SAFETY: `def` describes `elements`; going through it keeps writes of running code, which
        // use the same pointer, visible.
        unsafe { core::slice::from_raw_parts(self.def.base, self.elements.len()) }
    }

    pub(crate) fn elements_mut(&mut self) -> &mut [u64] {
        // SAFETY: as in `elements`, and the table is borrowed mutably.
        unsafe { core::slice::from_raw_parts_mut(self.def.base, self.elements.len()) }
    }

    /// Grows by `delta` elements, or leaves everything as it is and returns `None`.
    pub(crate) fn grow(
        &mut self,
        delta: u64,
        init: u64,
        allow: impl FnOnce(usize, usize, Option<usize>) -> bool,
    ) -> Option<u64> {
        let old = self.len();
        let new = old.checked_add(delta)?;
        if self.ty.maximum.is_some_and(|maximum| new > maximum) || new > self.limit {
            return None;
        }
        if !self.ty.table64 && new > u64::from(u32::MAX) {
            return None;
        }
        let new_len = usize::try_from(new).ok()?;
        let maximum = self.ty.maximum.and_then(|m| usize::try_from(m).ok());
        if !allow(self.elements.len(), new_len, maximum) {
            return None;
        }
        self.elements
            .try_reserve(new_len - self.elements.len())
            .ok()?;
        self.elements.resize(new_len, init);
        self.publish();
        Some(old)
    }
}

/// A table of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table(pub(crate) Stored<TableInst>);

impl Table {
    /// Makes a table whose elements are all `init`.
    ///
    /// # Errors
    /// When `init` is not of the element type, the limits make no sense, or the store's limiter
    /// refuses.
    pub fn new(mut store: impl AsContextMut, ty: TableType, init: Ref) -> Result<Table> {
        let store = store.as_context_mut().into_inner().opaque_mut();
        if ty.maximum.is_some_and(|max| max < ty.minimum) {
            return Err(Error::usage("a table's maximum is below its minimum"));
        }
        let most = if ty.table64 {
            u64::MAX
        } else {
            u32::MAX.into()
        };
        if ty.minimum > most || ty.maximum.is_some_and(|max| max > most) {
            return Err(Error::usage(
                "a table with 32-bit indices has at most 4294967295 elements",
            ));
        }
        store.types.hold(zwasm_core::ValType::Ref(ty.element))?;
        let init = init.to_raw(store, ty.element)?;
        store.new_table(ty, init)
    }

    fn inst<'a>(&self, store: &'a StoreOpaque) -> &'a TableInst {
        // SAFETY: the record belongs to this store, which is borrowed for as long.
        unsafe { self.0.pointer(store.id()).as_ref() }
    }

    /// The type, with its minimum as declared.
    pub fn ty(&self, store: impl AsContext) -> TableType {
        self.inst(store.as_context().inner().opaque()).ty
    }

    /// The current number of elements.
    pub fn size(&self, store: impl AsContext) -> u64 {
        self.inst(store.as_context().inner().opaque()).len()
    }

    /// Element `index`, or `None` past the end.
    pub fn get(&self, store: impl AsContext, index: u64) -> Option<Ref> {
        let context = store.as_context();
        let store = context.inner().opaque();
        let table = self.inst(store);
        let raw = *table.elements().get(usize::try_from(index).ok()?)?;
        Some(Ref::from_raw(store, raw, table.ty.element))
    }

    /// Sets element `index`.
    ///
    /// # Errors
    /// Past the end, or when the value is not of the element type.
    pub fn set(&self, mut store: impl AsContextMut, index: u64, value: Ref) -> Result<()> {
        let store = store.as_context_mut().into_inner().opaque_mut();
        let raw = value.to_raw(store, self.inst(store).ty.element)?;
        // SAFETY: the record belongs to this store, which is borrowed mutably.
        let table = unsafe { self.0.pointer(store.id()).as_mut() };
        let element = usize::try_from(index)
            .ok()
            .and_then(|index| table.elements_mut().get_mut(index))
            .ok_or_else(|| Error::usage("table index out of range"))?;
        *element = raw;
        Ok(())
    }

    /// Grows by `delta` elements and returns the previous size.
    ///
    /// # Errors
    /// Above the maximum or the limits, or when `init` is not of the element type; the table is
    /// unchanged then.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64, init: Ref) -> Result<u64> {
        let store = store.as_context_mut().into_inner().opaque_mut();
        let raw = init.to_raw(store, self.inst(store).ty.element)?;
        let pointer = self.0.pointer(store.id());
        store
            .grow_table(pointer, delta, raw)
            .ok_or_else(|| Error::resource(format!("cannot grow the table by {delta} elements")))
    }
}
