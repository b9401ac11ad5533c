//! The linker: names for what modules import.

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::extern_::Extern;
use crate::func::{Caller, Func, HostFunc, IntoFunc};
use crate::instance::Instance;
use crate::module::ExternType;
use crate::module::Module;
use crate::store::{AsContext, AsContextMut, StoreOpaque};
use crate::val::Val;
use core::marker::PhantomData;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use zwasm_core::FuncType;

/// Resolves imports by module and item name, for stores whose data is `T`.
#[derive(Debug)]
pub struct Linker<T: 'static> {
    engine: Engine,
    allow_shadowing: bool,
    definitions: HashMap<String, HashMap<String, Definition>>,
    data: PhantomData<fn() -> T>,
}

impl<T> Clone for Linker<T> {
    fn clone(&self) -> Self {
        Linker {
            engine: self.engine.clone(),
            allow_shadowing: self.allow_shadowing,
            definitions: self.definitions.clone(),
            data: PhantomData,
        }
    }
}

#[derive(Clone, Debug)]
enum Definition {
    /// Belongs to one store.
    Extern(Extern),
    /// Becomes a function of whichever store needs it.
    Host(Arc<HostFunc>),
}

impl<T: 'static> Linker<T> {
    /// An empty linker.
    #[must_use]
    pub fn new(engine: &Engine) -> Linker<T> {
        Linker {
            engine: engine.clone(),
            allow_shadowing: false,
            definitions: HashMap::new(),
            data: PhantomData,
        }
    }

    /// Lets later definitions replace earlier ones of the same name.
    pub fn allow_shadowing(&mut self, allow: bool) -> &mut Self {
        self.allow_shadowing = allow;
        self
    }

    fn insert(&mut self, module: &str, name: &str, definition: Definition) -> Result<&mut Self> {
        let names = self.definitions.entry(module.to_owned()).or_default();
        match names.entry(name.to_owned()) {
            Entry::Occupied(_) if !self.allow_shadowing => {
                return Err(Error::link(format!("'{module}'.'{name}' is defined twice")));
            }
            Entry::Occupied(mut entry) => {
                entry.insert(definition);
            }
            Entry::Vacant(entry) => {
                entry.insert(definition);
            }
        }
        Ok(self)
    }

    /// Whether a store is one that this linker can be used with.
    fn check_engine(&self, store: &StoreOpaque) -> Result<()> {
        if Engine::same(&self.engine, store.engine()) {
            return Ok(());
        }
        Err(Error::usage(
            "the linker was made with another engine than the store",
        ))
    }

    /// Defines an item of a store. Only modules of that store can import it.
    ///
    /// # Errors
    /// When the name is taken, the item is another store's, or the store's engine is not the
    /// linker's.
    pub fn define(
        &mut self,
        store: impl AsContext<Data = T>,
        module: &str,
        name: &str,
        item: impl Into<Extern>,
    ) -> Result<&mut Self> {
        let item = item.into();
        let context = store.as_context();
        let store = context.inner().opaque();
        self.check_engine(store)?;
        if !item.belongs_to(store) {
            return Err(foreign(module, name));
        }
        self.insert(module, name, Definition::Extern(item))
    }

    /// Defines a host function from a closure; see [`IntoFunc`].
    ///
    /// # Errors
    /// When the name is taken.
    pub fn func_wrap<P, R>(
        &mut self,
        module: &str,
        name: &str,
        func: impl IntoFunc<T, P, R>,
    ) -> Result<&mut Self> {
        let func = func.into_host_func(&self.engine);
        self.insert(module, name, Definition::Host(func.into()))
    }

    /// Defines a host function of a type known only at run time.
    ///
    /// # Errors
    /// When the name is taken, or the type mentions types of another engine or has more than 1000
    /// parameters or results.
    pub fn func_new(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<&mut Self> {
        let func = HostFunc::dynamic(&self.engine, ty, func)?;
        self.insert(module, name, Definition::Host(Arc::new(func)))
    }

    /// Defines all exports of an instance under a module name.
    ///
    /// # Panics
    /// When the instance is another store's.
    ///
    /// # Errors
    /// When a name is taken, or the store's engine is not the linker's.
    pub fn instance(
        &mut self,
        store: impl AsContext<Data = T>,
        module: &str,
        instance: Instance,
    ) -> Result<&mut Self> {
        self.check_engine(store.as_context().inner().opaque())?;
        for (name, item) in instance.exports(store) {
            self.insert(module, &name, Definition::Extern(item))?;
        }
        Ok(self)
    }

    /// Defines every import of `module` that has no definition yet as a function that fails with
    /// a message when it is called; other kinds of imports stay undefined.
    ///
    /// # Errors
    /// When the module was made with another engine.
    pub fn define_unknown_imports_as_traps(&mut self, module: &Module) -> Result<()> {
        self.check_module(module)?;
        for import in module.imports() {
            if self.lookup(import.module, import.name).is_some() {
                continue;
            }
            if let ExternType::Func(ty) = import.ty {
                let message = format!(
                    "unknown import '{}'.'{}' was called",
                    import.module, import.name
                );
                self.func_new(import.module, import.name, ty, move |_, _, _| {
                    Err(Error::message(message.clone()))
                })?;
            }
        }
        Ok(())
    }

    fn lookup(&self, module: &str, name: &str) -> Option<&Definition> {
        self.definitions.get(module)?.get(name)
    }

    fn check_module(&self, module: &Module) -> Result<()> {
        if Engine::same(&self.engine, module.engine()) {
            return Ok(());
        }
        Err(Error::usage(
            "the module was made with another engine than the linker",
        ))
    }

    fn resolve(&self, store: &mut StoreOpaque, module: &str, name: &str) -> Result<Option<Extern>> {
        Ok(match self.lookup(module, name) {
            None => None,
            Some(Definition::Extern(item)) => Some(*item),
            Some(Definition::Host(func)) => Some(store.new_host_func(func.clone())?.into()),
        })
    }

    /// The item of that name.
    ///
    /// # Panics
    /// When the store's engine is not the linker's, or the host has no memory for machine code.
    pub fn get(
        &self,
        mut store: impl AsContextMut<Data = T>,
        module: &str,
        name: &str,
    ) -> Option<Extern> {
        let store = store.as_context_mut().into_inner().opaque_mut();
        self.check_engine(store)
            .and_then(|()| self.resolve(store, module, name))
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// The function of that name.
    ///
    /// # Panics
    /// As [`Linker::get`].
    pub fn get_func(
        &self,
        store: impl AsContextMut<Data = T>,
        module: &str,
        name: &str,
    ) -> Option<Func> {
        self.get(store, module, name)?.into_func()
    }

    /// Instantiates a module, resolving its imports by name.
    ///
    /// # Errors
    /// As [`Instance::new`]; imports without a definition are all named. Also when the linker's
    /// engine is not the store's, or a definition is another store's.
    pub fn instantiate(
        &self,
        mut store: impl AsContextMut<Data = T>,
        module: &Module,
    ) -> Result<Instance> {
        let mut imports = Vec::new();
        let mut missing = Vec::new();
        {
            let store = store.as_context_mut().into_inner().opaque_mut();
            self.check_engine(store)?;
            self.check_module(module)?;
            for import in module.imports() {
                match self.resolve(store, import.module, import.name)? {
                    Some(item) if !item.belongs_to(store) => {
                        return Err(foreign(import.module, import.name));
                    }
                    Some(item) => imports.push(item),
                    None => missing.push(format!("'{}'.'{}'", import.module, import.name)),
                }
            }
        }
        if !missing.is_empty() {
            return Err(Error::link(format!(
                "unknown import {}",
                missing.join(", ")
            )));
        }
        Instance::new(store, module, &imports)
    }
}

fn foreign(module: &str, name: &str) -> Error {
    Error::link(format!("'{module}'.'{name}' belongs to another store"))
}
