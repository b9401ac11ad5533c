//! Canonical function types: equal types have equal names in a whole engine, for as long as anybody
//! uses them.
//!
//! Modules, host functions and stores hold the types that they use ([`HeldTypes`]); a type that
//! mentions others holds those. What nobody holds is forgotten, and its number may be another
//! type's from then on. So whoever keeps a number where running code compares it holds the type:
//! a function reference lives in a store, which keeps its module or host function. What embedders have
//! are plain values that hold nothing: a name that comes from there is looked up first.

use crate::engine::Engine;
use crate::error::{Error, Result};
use core::sync::atomic::{AtomicU32, Ordering};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, RwLock};
use zwasm_core::{FuncType, HeapType, RefType, SigId, ValType};

/// Stands for "this very type" in the key of a type that mentions itself.
pub(crate) const SELF_SIG: SigId = SigId::new(u32::MAX, u32::MAX);

/// The types of an engine.
#[derive(Debug, Default)]
pub(crate) struct TypeRegistry {
    inner: RwLock<Types>,
}

#[derive(Debug, Default)]
struct Types {
    by_number: Vec<Option<Entry>>,
    free: Vec<u32>,
    /// By the type with [`SELF_SIG`] where it mentions itself.
    names: HashMap<Arc<FuncType>, SigId>,
}

#[derive(Debug)]
struct Entry {
    name: SigId,
    ty: Arc<FuncType>,
    key: Arc<FuncType>,
    /// How many [`HeldTypes`], and other types, hold it.
    holders: usize,
}

/// The types that a value type mentions.
fn mentioned(ty: &ValType) -> Option<SigId> {
    match *ty {
        ValType::Ref(RefType {
            heap: HeapType::Concrete(name),
            ..
        }) => Some(name),
        _ => None,
    }
}

/// All value types of a function type.
fn parts(ty: &FuncType) -> impl Iterator<Item = &ValType> {
    ty.params().iter().chain(ty.results())
}

impl Types {
    fn get(&self, name: SigId) -> Option<&Entry> {
        let entry = self.by_number.get(name.number() as usize)?.as_ref()?;
        (entry.name == name).then_some(entry)
    }

    /// Adds a holder to a type.
    fn hold(&mut self, name: SigId) -> Result<()> {
        let slot = self.by_number.get_mut(name.number() as usize);
        let entry = slot.and_then(Option::as_mut);
        let entry = entry.filter(|entry| entry.name == name).ok_or_else(|| {
            Error::usage("a type mentions one of another engine, or of a module that is gone")
        })?;
        entry.holders += 1;
        Ok(())
    }

    /// Adds a holder to the type of this key.
    fn intern(&mut self, key: FuncType) -> Result<SigId> {
        if let Some(&name) = self.names.get(&key) {
            self.hold(name)?;
            return Ok(name);
        }
        let others: Vec<SigId> = parts(&key)
            .filter_map(mentioned)
            .filter(|&name| name != SELF_SIG)
            .collect();
        for (i, &other) in others.iter().enumerate() {
            if let Err(error) = self.hold(other) {
                self.release(others[..i].iter().copied(), &mut Vec::new());
                return Err(error);
            }
        }
        let name = self.new_name();
        let own = |ty: &ValType| match *ty {
            ValType::Ref(RefType {
                nullable,
                heap: HeapType::Concrete(SELF_SIG),
            }) => ValType::Ref(RefType {
                nullable,
                heap: HeapType::Concrete(name),
            }),
            other => other,
        };
        let key = Arc::new(key);
        let ty = if parts(&key).any(|ty| mentioned(ty) == Some(SELF_SIG)) {
            let (params, results) = (key.params().iter(), key.results().iter());
            Arc::new(FuncType::new(params.map(own), results.map(own)))
        } else {
            key.clone()
        };
        self.names.insert(key.clone(), name);
        self.by_number[name.number() as usize] = Some(Entry {
            name,
            ty,
            key,
            holders: 1,
        });
        Ok(name)
    }

    /// A name that is no type's, with a place for its entry.
    fn new_name(&mut self) -> SigId {
        /// Whatever wrapped around is told apart by the number in all likelihood.
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let number = self.free.pop().unwrap_or_else(|| {
            self.by_number.push(None);
            u32::try_from(self.by_number.len() - 1).expect("fewer than 2^32 types")
        });
        SigId::new(number, SERIAL.fetch_add(1, Ordering::Relaxed))
    }

    /// Takes a holder from each type, and notes those that nobody holds any more.
    fn release(&mut self, names: impl Iterator<Item = SigId>, gone: &mut Vec<SigId>) {
        let mut work: Vec<SigId> = names.collect();
        while let Some(name) = work.pop() {
            let slot = &mut self.by_number[name.number() as usize];
            let entry = slot.as_mut().expect("held types are there");
            assert!(entry.name == name, "held types keep their name");
            entry.holders -= 1;
            if entry.holders > 0 {
                continue;
            }
            let Some(entry) = slot.take() else { continue };
            self.names.remove(&entry.key);
            self.free.push(name.number());
            let others = parts(&entry.key).filter_map(mentioned);
            work.extend(others.filter(|&other| other != SELF_SIG));
            gone.push(name);
        }
        if self.names.is_empty() {
            *self = Types::default();
        }
    }
}

impl TypeRegistry {
    /// A type that somebody holds.
    pub(crate) fn get(&self, name: SigId) -> Arc<FuncType> {
        let types = self.inner.read().expect("no panic while locked");
        types.get(name).expect("somebody holds the type").ty.clone()
    }

    /// How many types there are.
    pub(crate) fn count(&self) -> usize {
        let types = self.inner.read().expect("no panic while locked");
        types.names.len()
    }
}

/// Types that somebody uses: they stay for as long as this does.
#[derive(Debug)]
pub(crate) struct HeldTypes {
    engine: Engine,
    names: HashSet<SigId>,
}

impl HeldTypes {
    /// None.
    pub(crate) fn new(engine: &Engine) -> HeldTypes {
        HeldTypes {
            engine: engine.clone(),
            names: HashSet::new(),
        }
    }

    /// The engine that the types are of.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Holds a type whose mentions of itself are written as [`SELF_SIG`].
    ///
    /// # Errors
    /// When it mentions what is no type of the engine.
    pub(crate) fn intern(&mut self, key: FuncType) -> Result<SigId> {
        let registry = &self.engine.inner().types.inner;
        let mut types = registry.write().expect("no panic while locked");
        let name = types.intern(key)?;
        keep_one(&mut self.names, &mut types, name);
        Ok(name)
    }

    /// Holds what a value type mentions.
    ///
    /// # Errors
    /// When that is no type of the engine.
    pub(crate) fn hold(&mut self, ty: ValType) -> Result<()> {
        let Some(name) = mentioned(&ty) else {
            return Ok(());
        };
        let registry = &self.engine.inner().types.inner;
        let mut types = registry.write().expect("no panic while locked");
        types.hold(name)?;
        keep_one(&mut self.names, &mut types, name);
        Ok(())
    }
}

/// Makes a type that was held just now one of `names`, which hold each type once.
fn keep_one(names: &mut HashSet<SigId>, types: &mut Types, name: SigId) {
    if !names.insert(name) {
        types.release([name].into_iter(), &mut Vec::new());
    }
}

impl Drop for HeldTypes {
    fn drop(&mut self) {
        if self.names.is_empty() {
            return;
        }
        let mut gone = Vec::new();
        {
            let registry = &self.engine.inner().types.inner;
            let mut types = registry.write().expect("no panic while locked");
            types.release(self.names.drain(), &mut gone);
        }
        self.engine.supply().forget(&gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(name: SigId) -> ValType {
        ValType::Ref(RefType {
            nullable: true,
            heap: HeapType::Concrete(name),
        })
    }

    #[test]
    fn equal_types_have_equal_names_and_recursive_types_close() {
        let engine = Engine::default();
        let mut held = HeldTypes::new(&engine);
        let a = held.intern(FuncType::new([ValType::I32], [])).unwrap();
        let b = held.intern(FuncType::new([ValType::I32], [])).unwrap();
        let c = held.intern(FuncType::new([], [ValType::I32])).unwrap();
        assert_eq!(a, b);
        assert_ne!(a, c);
        let key = || FuncType::new([reference(SELF_SIG)], []);
        let r = held.intern(key()).unwrap();
        assert_eq!(engine.inner().types.get(r).params(), [reference(r)]);
        assert_eq!(held.intern(key()).unwrap(), r);
    }

    #[test]
    fn types_go_with_their_last_holder_and_hold_what_they_mention() {
        let engine = Engine::default();
        let registry = &engine.inner().types;
        let mut one = HeldTypes::new(&engine);
        let leaf = one.intern(FuncType::new([ValType::I64], [])).unwrap();
        let mut other = HeldTypes::new(&engine);
        let root = other.intern(FuncType::new([reference(leaf)], [])).unwrap();
        let ring = other
            .intern(FuncType::new([reference(SELF_SIG)], []))
            .unwrap();
        drop(one);
        assert_eq!(registry.count(), 3, "the root mentions the leaf");
        assert_eq!(registry.get(leaf).params(), [ValType::I64]);
        drop(other);
        assert_eq!(registry.count(), 0);

        let mut again = HeldTypes::new(&engine);
        let new = again.intern(FuncType::new([ValType::F32], [])).unwrap();
        assert!(
            [leaf, root, ring]
                .iter()
                .any(|old| old.number() == new.number())
        );
        for old in [leaf, root, ring] {
            assert_ne!(old, new);
            assert!(again.hold(reference(old)).is_err());
            assert!(again.intern(FuncType::new([reference(old)], [])).is_err());
        }
        assert_eq!(registry.count(), 1);
    }

    #[test]
    fn a_type_that_mentions_one_of_another_engine_is_refused_whole() {
        let (here, there) = (Engine::default(), Engine::default());
        let mut foreign = HeldTypes::new(&there);
        let foreign = foreign.intern(FuncType::new([], [])).unwrap();
        let mut held = HeldTypes::new(&here);
        let own = held.intern(FuncType::new([], [])).unwrap();
        assert_eq!(own.number(), foreign.number());
        let both = FuncType::new([reference(own), reference(foreign)], []);
        assert!(held.intern(both).is_err());
        drop(held);
        assert_eq!(here.inner().types.count(), 0, "nothing was held for it");
    }
}
