//! The store: owner of everything that instances share, and of the embedder's data.

pub(crate) mod context;
pub(crate) mod exn;

pub use context::{AsContext, AsContextMut, StoreContext, StoreContextMut};

use crate::activation::limits::{InterruptHandle, StoreLimits};
use crate::activation::{Activations, HostReference, Runner};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::func::{Func, HostFunc};
use crate::global::{Global, GlobalInst};
use crate::handle::{Arena, StoreId, Stored};
use crate::instance::InstanceData;
use crate::memory::{Memory, MemoryInst, bytes_of};
use crate::module::Image;
use crate::resource::ResourceLimiter;
use crate::table::{Table, TableInst};
use crate::tag::{Tag, TagInst};
use crate::types::HeldTypes;
use crate::vmctx::FuncRef;
use core::any::Any;
use core::ptr::NonNull;
use exn::{Exception, Exceptions};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use zwasm_core::{GlobalType, HeapType, MemoryType, SigId, TableType, TrapCode};

/// Owns instances, memories, tables, globals and functions, and the embedder's data `T`.
#[derive(Debug)]
pub struct Store<T: 'static> {
    inner: Box<StoreInner<T>>,
}

/// Behind a [`Store`]. The opaque part comes first, so that a pointer to one is one to the other.
#[repr(C)]
pub(crate) struct StoreInner<T: 'static> {
    opaque: StoreOpaque,
    pub(crate) data: T,
}

impl<T> core::fmt::Debug for StoreInner<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Store")
            .field("id", &self.opaque.id)
            .finish_non_exhaustive()
    }
}

/// Each memory reserves gigabytes of a 47-bit address space.
const MAX_MEMORIES: usize = 4096;

/// Asks the embedder whether a resource may grow.
type LimiterCall = Box<dyn FnMut(*mut StoreOpaque, Growth) -> bool + Send + Sync>;

/// What wants to grow, in bytes or elements; or how many of a kind there would be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Growth {
    Memory {
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    },
    Table {
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    },
    Exceptions {
        current: usize,
        desired: usize,
    },
    /// All that the limiter bounds together would take that many bytes.
    Total(usize),
    Instances(usize),
    Tables(usize),
    Memories(usize),
}

impl Growth {
    /// By how many bytes.
    fn bytes(self) -> usize {
        match self {
            Growth::Memory {
                current, desired, ..
            }
            | Growth::Exceptions { current, desired } => desired - current,
            Growth::Table {
                current, desired, ..
            } => (desired - current).saturating_mul(size_of::<u64>()),
            Growth::Total(_) | Growth::Instances(_) | Growth::Tables(_) | Growth::Memories(_) => 0,
        }
    }
}

/// The part of a store that does not depend on the embedder's data.
pub(crate) struct StoreOpaque {
    id: StoreId,
    engine: Engine,
    /// Those of what the host made: functions and modules hold their own.
    pub(crate) types: HeldTypes,
    pub(crate) limits: Arc<StoreLimits>,
    instances: Arena<InstanceData>,
    memories: Arena<MemoryInst>,
    tables: Arena<TableInst>,
    globals: Arena<GlobalInst>,
    tags: Arena<TagInst>,
    host_refs: Arena<FuncRef>,
    host_funcs: Vec<Arc<HostFunc>>,
    pub(crate) externs: Vec<Box<dyn Any + Send + Sync>>,
    pub(crate) exceptions: Exceptions,
    /// What memories and tables take.
    held_bytes: usize,
    pub(crate) activations: Activations,
    limiter: Option<LimiterCall>,
    pub(crate) runner: &'static dyn Runner,
    /// The way in for the signature called last, by its number; 0 before the first call. Machine code
    /// only.
    pub(crate) entry_stub: (SigId, usize),
    /// What references to host functions lead to.
    host_references: Vec<HostReference>,
}

impl<T: 'static> Store<T> {
    /// An empty store, whose functions this runs.
    pub(crate) fn with_runner(engine: &Engine, data: T, runner: &'static dyn Runner) -> Store<T> {
        let opaque = StoreOpaque {
            id: StoreId::next(),
            engine: engine.clone(),
            types: HeldTypes::new(engine),
            limits: Arc::new(StoreLimits::new(engine.runs().add())),
            instances: Arena::new(),
            memories: Arena::new(),
            tables: Arena::new(),
            globals: Arena::new(),
            tags: Arena::new(),
            host_refs: Arena::new(),
            host_funcs: Vec::new(),
            externs: Vec::new(),
            exceptions: Exceptions::default(),
            held_bytes: 0,
            activations: Activations::default(),
            limiter: None,
            runner,
            entry_stub: (SigId::new(0, 0), 0),
            host_references: Vec::new(),
        };
        Store {
            inner: Box::new(StoreInner { opaque, data }),
        }
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.inner.opaque.engine
    }

    /// The embedder's data.
    #[must_use]
    pub fn data(&self) -> &T {
        &self.inner.data
    }

    /// The embedder's data, mutably.
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.inner.data
    }

    /// Drops everything but the embedder's data.
    #[must_use]
    pub fn into_data(self) -> T {
        self.inner.data
    }

    /// Sets the fuel left.
    ///
    /// # Errors
    /// When the engine does not count fuel.
    pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.inner.opaque.set_fuel(fuel)
    }

    /// The fuel left.
    ///
    /// # Errors
    /// When the engine does not count fuel.
    pub fn get_fuel(&self) -> Result<u64> {
        self.inner.opaque.get_fuel()
    }

    /// A handle that stops this store's guest from another thread.
    #[must_use]
    pub fn interrupt_handle(&self) -> InterruptHandle {
        self.inner.opaque.interrupt_handle()
    }

    /// Asks `limiter` before anything is made in the store that takes memory, or grows.
    pub fn limiter<L: ResourceLimiter + 'static>(
        &mut self,
        mut limiter: impl FnMut(&mut T) -> &mut L + Send + Sync + 'static,
    ) {
        self.inner.opaque.limiter = Some(Box::new(move |store, growth| {
            // SAFETY: the runtime passes the store that holds this closure, which is a
            // `StoreInner<T>`, and holds no borrow of its data while asking.
            let data = unsafe { &mut (*store.cast::<StoreInner<T>>()).data };
            let limiter = limiter(data);
            match growth {
                Growth::Memory {
                    current,
                    desired,
                    maximum,
                } => limiter.memory_growing(current, desired, maximum),
                Growth::Table {
                    current,
                    desired,
                    maximum,
                } => limiter.table_growing(current, desired, maximum),
                Growth::Exceptions { current, desired } => {
                    limiter.exceptions_growing(current, desired)
                }
                Growth::Total(bytes) => bytes <= limiter.total_bytes(),
                Growth::Instances(count) => count <= limiter.instances(),
                Growth::Tables(count) => count <= limiter.tables(),
                Growth::Memories(count) => count <= limiter.memories(),
            }
        }));
    }

    pub(crate) fn inner(&self) -> &StoreInner<T> {
        &self.inner
    }

    pub(crate) fn inner_mut(&mut self) -> &mut StoreInner<T> {
        &mut self.inner
    }
}

impl<T: 'static> StoreInner<T> {
    pub(crate) fn opaque(&self) -> &StoreOpaque {
        &self.opaque
    }

    /// The opaque part, through a pointer that reaches the whole store: host functions get back
    /// from it to `T`.
    pub(crate) fn opaque_mut(&mut self) -> &mut StoreOpaque {
        // SAFETY: the opaque part is the first field of this `repr(C)` struct.
        unsafe { &mut *core::ptr::from_mut(self).cast::<StoreOpaque>() }
    }
}

impl StoreOpaque {
    pub(crate) fn id(&self) -> StoreId {
        self.id
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.check_fuel_enabled()?;
        self.limits
            .fuel
            .set(i64::try_from(fuel).unwrap_or(i64::MAX));
        Ok(())
    }

    pub(crate) fn get_fuel(&self) -> Result<u64> {
        self.check_fuel_enabled()?;
        Ok(u64::try_from(self.limits.fuel.get()).unwrap_or(0))
    }

    fn check_fuel_enabled(&self) -> Result<()> {
        if self.engine.config().consume_fuel {
            Ok(())
        } else {
            Err(Error::usage(
                "the engine does not count fuel: set Config::consume_fuel",
            ))
        }
    }

    /// Whether the limiter, if there is one, lets something grow. Exceptions that nothing refers to do
    /// not stand in the way. The limiter may panic.
    fn allows(&mut self, growth: Growth) -> bool {
        if self.limiter.is_none() {
            return true;
        }
        if growth.bytes() > 0 && !self.fits(growth) {
            if self.exceptions.bytes() == 0 {
                return false;
            }
            self.collect_exceptions();
            if !self.fits(growth) {
                return false;
            }
        }
        self.ask(growth)
    }

    /// Whether all that is limited together may grow by this.
    fn fits(&mut self, growth: Growth) -> bool {
        let held = self.held_bytes.saturating_add(self.exceptions.bytes());
        self.ask(Growth::Total(held.saturating_add(growth.bytes())))
    }

    fn ask(&mut self, growth: Growth) -> bool {
        let store = core::ptr::from_mut(self);
        // SAFETY: the limiter reaches the embedder's data through the pointer, and nothing else of
        // the store: nobody takes the limiter from its place, where it stays if it panics.
        let Some(limiter) = (unsafe { &mut (*store).limiter }) else {
            return true;
        };
        limiter(store, growth)
    }

    /// Does what may ask the limiter for running code, through which nobody can unwind: `None` after
    /// a panic, which waits in the store until the run has ended.
    pub(crate) fn without_unwinding<R>(
        &mut self,
        ask: impl FnOnce(&mut StoreOpaque) -> R,
    ) -> Option<R> {
        match catch_unwind(AssertUnwindSafe(|| ask(self))) {
            Ok(answer) => Some(answer),
            Err(panic) => {
                self.activations.panicked(panic);
                None
            }
        }
    }

    /// Begins a call from the host: [`Activations::begin`].
    pub(crate) fn begin_activation(&mut self, here: usize) -> Result<bool, TrapCode> {
        self.activations.begin(self.engine.config(), here)
    }

    /// Makes sure the interpreter's stack exists.
    pub(crate) fn ensure_value_stack(&mut self) -> Result<()> {
        let config = self.engine.config();
        self.activations.ensure_value_stack(config, &self.limits)
    }

    pub(crate) fn interrupt_handle(&self) -> InterruptHandle {
        InterruptHandle::new(self.limits.clone(), self.runner)
    }

    /// Whether another instance may be made.
    pub(crate) fn check_instances(&mut self) -> Result<()> {
        let count = self.instances.len() + 1;
        if self.allows(Growth::Instances(count)) {
            return Ok(());
        }
        Err(Error::resource(format!(
            "the store's limits refuse instance {count}"
        )))
    }

    pub(crate) fn add_instance(&mut self, instance: InstanceData) -> NonNull<InstanceData> {
        self.instances.alloc(instance)
    }

    pub(crate) fn new_memory(
        &mut self,
        ty: MemoryType,
        image: Option<Image<'_>>,
    ) -> Result<Memory> {
        let bytes = |pages| usize::try_from(bytes_of(ty, pages)?).ok();
        let growth = Growth::Memory {
            current: 0,
            desired: bytes(ty.minimum).unwrap_or(usize::MAX),
            maximum: ty.maximum.and_then(bytes),
        };
        let count = self.memories.len() + 1;
        if self.memories.len() >= MAX_MEMORIES {
            return Err(Error::resource(format!(
                "a store holds at most {MAX_MEMORIES} memories"
            )));
        }
        if !self.allows(Growth::Memories(count)) || !self.allows(growth) {
            return Err(Error::resource("the store's limits refuse a new memory"));
        }
        let memory = MemoryInst::new(ty, self.engine.config().memory_reservation_bytes, image)?;
        self.held_bytes += growth.bytes();
        let pointer = self.memories.alloc(memory);
        // SAFETY: the arena lives as long as the store.
        Ok(Memory(unsafe { Stored::new(self.id, pointer) }))
    }

    pub(crate) fn new_table(&mut self, ty: TableType, init: u64) -> Result<Table> {
        let count = |n: u64| usize::try_from(n).ok();
        let growth = Growth::Table {
            current: 0,
            desired: count(ty.minimum).unwrap_or(usize::MAX),
            maximum: ty.maximum.and_then(count),
        };
        let tables = self.tables.len() + 1;
        if !self.allows(Growth::Tables(tables)) || !self.allows(growth) {
            return Err(Error::resource("the store's limits refuse a new table"));
        }
        let table = TableInst::new(ty, init, self.engine.config().max_table_elements)?;
        self.held_bytes += growth.bytes();
        let pointer = self.tables.alloc(table);
        // SAFETY: the arena lives as long as the store.
        Ok(Table(unsafe { Stored::new(self.id, pointer) }))
    }

    pub(crate) fn grow_memory(
        &mut self,
        mut memory: NonNull<MemoryInst>,
        delta: u64,
    ) -> Option<u64> {
        // SAFETY: a record of this store, which is borrowed mutably; the limiter cannot reach it.
        let memory = unsafe { memory.as_mut() };
        let before = memory.def.length_bytes;
        let old = memory.grow(delta, |current, desired, maximum| {
            self.allows(Growth::Memory {
                current,
                desired,
                maximum,
            })
        });
        self.held_bytes += memory.def.length_bytes - before;
        old
    }

    pub(crate) fn grow_table(
        &mut self,
        mut table: NonNull<TableInst>,
        delta: u64,
        init: u64,
    ) -> Option<u64> {
        // SAFETY: as in `grow_memory`.
        let table = unsafe { table.as_mut() };
        let before = table.elements().len();
        let old = table.grow(delta, init, |current, desired, maximum| {
            self.allows(Growth::Table {
                current,
                desired,
                maximum,
            })
        });
        self.held_bytes += size_of::<u64>() * (table.elements().len() - before);
        old
    }

    pub(crate) fn new_host_global(&mut self, ty: GlobalType, raw: [u64; 2]) -> Global {
        let mut own = Box::new(raw);
        let cell = core::ptr::from_mut(&mut *own);
        self.add_global(GlobalInst {
            ty,
            cell,
            _own: Some(own),
        })
    }

    pub(crate) fn add_global(&mut self, global: GlobalInst) -> Global {
        let pointer = self.globals.alloc(global);
        // SAFETY: the arena lives as long as the store.
        Global(unsafe { Stored::new(self.id, pointer) })
    }

    pub(crate) fn new_tag(&mut self, sig: SigId) -> Tag {
        let pointer = self.tags.alloc(TagInst { sig, _identity: 0 });
        // SAFETY: the arena lives as long as the store.
        Tag(unsafe { Stored::new(self.id, pointer) })
    }

    /// Makes a function of this store from a host function of its engine.
    ///
    /// # Errors
    /// When there is no memory for machine code.
    pub(crate) fn new_host_func(&mut self, func: Arc<HostFunc>) -> Result<Func> {
        assert!(
            Engine::same(func.engine(), &self.engine),
            "a host function was made for another engine than the store's"
        );
        let ty = self.engine.inner().types.get(func.sig);
        let reference = self.runner.host_reference(&self.engine, &func, &ty)?;
        let record = FuncRef {
            entry: reference.entry,
            context: reference.context,
            signature: func.sig.to_bits(),
            host: Arc::as_ptr(&func),
        };
        self.host_references.push(reference);
        self.host_funcs.push(func);
        let pointer = self.host_refs.alloc(record);
        // SAFETY: the arena lives as long as the store.
        Ok(Func(unsafe { Stored::new(self.id, pointer) }))
    }

    /// Puts an exception into the store; frees those that nothing refers to when there are many, or
    /// no room for another.
    ///
    /// # Errors
    /// When the store's limits refuse it.
    pub(crate) fn new_exception(
        &mut self,
        tag: NonNull<TagInst>,
        payload: Box<[u64]>,
    ) -> Result<u64, TrapCode> {
        if self.exceptions.wants_collection() {
            self.collect_exceptions();
        }
        if !self.allows_exception(&payload) {
            self.collect_exceptions();
            if !self.allows_exception(&payload) {
                return Err(TrapCode::ResourceLimit);
            }
        }
        Ok(self.exceptions.insert(Exception::new(tag, payload)))
    }

    fn allows_exception(&mut self, payload: &[u64]) -> bool {
        self.allows(Growth::Exceptions {
            current: self.exceptions.bytes(),
            desired: self.exceptions.bytes_with(payload),
        })
    }

    fn collect_exceptions(&mut self) {
        let roots = self.exception_roots();
        self.exceptions.collect(roots.into_iter());
    }

    /// Every word of the store that may be a reference to an exception.
    fn exception_roots(&self) -> Vec<u64> {
        let mut roots: Vec<u64> = Vec::new();
        self.activations.for_each_word(|word| roots.push(word));
        // SAFETY: globals and tables live as long as the store, those of no instance, too.
        unsafe {
            let globals = self.globals.iter();
            roots.extend(globals.map(|global| (*global.as_ref().cell)[0]));
            for table in self.tables.iter() {
                let table = table.as_ref();
                if table.ty.element.heap.top() == HeapType::Exn {
                    roots.extend_from_slice(table.elements());
                }
            }
        }
        roots
    }
}

// SAFETY: a store owns what its raw pointers lead to (records, contexts, code of modules it keeps
// alive), none of it is tied to a thread, and running code needs `&mut`.
unsafe impl Send for StoreOpaque {}
// SAFETY: shared references only read.
unsafe impl Sync for StoreOpaque {}
