//! A WebAssembly runtime.
//!
//! ```
//! use zwasm::{Engine, Instance, Module, Store};
//!
//! let engine = Engine::default();
//! let module = Module::new(&engine, r#"(module
//!     (func (export "add") (param i32 i32) (result i32)
//!         local.get 0
//!         local.get 1
//!         i32.add))"#)?;
//! let mut store = Store::new(&engine, ());
//! let instance = Instance::new(&mut store, &module, &[])?;
//! let add = instance.get_typed_func::<(i32, i32), i32>(&store, "add")?;
//! assert_eq!(add.call(&mut store, (2, 3))?, 5);
//! # Ok::<(), zwasm::Error>(())
//! ```
//!
//! The shape of the API is the one that Rust users of WebAssembly know: an [`Engine`] compiles a
//! [`Module`], a [`Store`] owns what runs, a [`Linker`] names what modules import, an [`Instance`]
//! exports [`Func`]s, [`Memory`]s, [`Table`]s and [`Global`]s. Guest faults come back as an
//! [`Error`] that holds a [`Trap`] with a wasm backtrace.

// What only native tiers ask for.
#![cfg_attr(not(zwasm_native), allow(dead_code))]

mod activation;
mod backtrace;
mod code;
mod engine;
mod error;
mod extern_;
mod func;
mod global;
mod handle;
mod instance;
mod interp;
mod layout;
mod linker;
mod memory;
mod module;
#[cfg(zwasm_native)]
mod native;
mod operations;
mod parallel;
mod resource;
mod store;
mod sys;
mod table;
mod tag;
mod tiers;
mod types;
mod val;
mod vmctx;

pub use activation::limits::InterruptHandle;
pub use backtrace::{Frame, WasmBacktrace};
pub use code::compiler::{Compilation, Isa, MachineCode};
pub use engine::{Config, Engine, Profiler, Tier};
pub use error::{Error, Result, Trap};
pub use extern_::Extern;
pub use func::{Caller, Func, IntoFunc, TypedFunc, WasmParams, WasmResults, WasmRet, WasmTy};
pub use global::Global;
pub use instance::Instance;
pub use linker::Linker;
pub use memory::Memory;
pub use module::{ExportType, ExternType, ImportType, Module, ModuleStats};
pub use resource::{Limits, ResourceLimiter};
pub use store::{AsContext, AsContextMut, Store, StoreContext, StoreContextMut};
pub use table::Table;
pub use tag::Tag;
pub use val::{ExnRef, ExternRef, Ref, Val};
pub use zwasm_core::{
    FuncType, GlobalType, HeapType, MemoryType, Mutability, Printable, RefType, TableType,
    TrapCode, ValType,
};
#[doc(hidden)]
pub use zwasm_jit::contract::Stress;
#[cfg(feature = "lab")]
#[doc(hidden)]
pub use zwasm_jit::opt::lab;
pub use zwasm_jit::opt::{PassTime, PassTimes};
