//! Exception tags and the exceptions that carry them.

use crate::error::Result;
use crate::handle::Stored;
use crate::store::{AsContext, AsContextMut};
use zwasm_core::{FuncType, SigId};

/// A tag as its store keeps it; its address is its identity.
#[derive(Debug)]
pub(crate) struct TagInst {
    pub(crate) sig: SigId,
    /// Keeps the record non-empty and its address distinct.
    pub(crate) _identity: u64,
}

/// An exception tag of a store.
///
/// Spec: execution, tag instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(pub(crate) Stored<TagInst>);

impl Tag {
    /// Makes a tag whose exceptions carry the parameters of `ty`.
    ///
    /// # Errors
    /// When the type has results, or mentions types of another engine.
    pub fn new(mut store: impl AsContextMut, ty: &FuncType) -> Result<Tag> {
        let store = store.as_context_mut().into_inner().opaque_mut();
        if !ty.results().is_empty() {
            return Err(crate::Error::usage("the type of a tag has no results"));
        }
        let sig = store.types.intern(ty.clone())?;
        Ok(store.new_tag(sig))
    }

    /// The tag's type.
    pub fn ty(&self, store: impl AsContext) -> FuncType {
        let context = store.as_context();
        let store = context.inner().opaque();
        // SAFETY: the record belongs to this store, which is borrowed.
        let sig = unsafe { self.0.pointer(store.id()).as_ref() }.sig;
        (*store.engine().inner().types.get(sig)).clone()
    }
}
