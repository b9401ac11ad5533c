//! Instances: a module with its imports, ready to run.

use crate::error::{Error, Result};
use crate::extern_::Extern;
use crate::func::{Func, TypedFunc, WasmParams, WasmResults, invoke};
use crate::global::{Global, GlobalInst};
use crate::handle::{StoreId, Stored};
use crate::memory::{Memory, MemoryInst};
use crate::module::{Module, ModuleInner};
use crate::store::{AsContext, AsContextMut, StoreOpaque};
use crate::table::{Table, TableInst};
use crate::tag::{Tag, TagInst};
use crate::vmctx::{FuncRef, MemoryDef, VmContext, VmContextBox, checked_range};
use core::ptr::NonNull;
use zwasm_core::module::{
    ConstExpr, ConstOp, ElementItems, ExternIndex, ModuleInfo, NO_FUNC_REF, SegmentMode,
};
use zwasm_core::num;
use zwasm_core::vmctx::func_ref;
use zwasm_core::{MemoryType, TableType, TrapCode};

/// An instance as its store keeps it.
#[derive(Debug)]
pub(crate) struct InstanceData {
    pub(crate) store: *mut StoreOpaque,
    pub(crate) module: Module,
    pub(crate) context: VmContextBox,
    pub(crate) memories: Vec<NonNull<MemoryInst>>,
    pub(crate) tables: Vec<NonNull<TableInst>>,
    pub(crate) globals: Vec<NonNull<GlobalInst>>,
    pub(crate) tags: Vec<NonNull<TagInst>>,
    pub(crate) dropped_elements: Vec<bool>,
    /// What `memory.init` finds in each data segment, among the bytes that `module` keeps; nothing once
    /// it is dropped.
    data: Vec<NonNull<[u8]>>,
}

impl InstanceData {
    /// Whether an access at this address can be one of a memory of the instance.
    pub(crate) fn memory_may_fault_at(&self, address: usize) -> bool {
        let mut memories = self.memories.iter();
        // SAFETY: the instance's memories live as long as it does.
        memories.any(|memory| unsafe { memory.as_ref() }.may_fault_at(address))
    }
}

/// An instance of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance(Stored<InstanceData>);

impl Instance {
    /// Instantiates a module with its imports in order, and runs its start function.
    ///
    /// # Errors
    /// When imports are missing or of the wrong type, limits refuse a memory or table, a segment
    /// does not fit, or the start function fails.
    ///
    /// # Panics
    /// When an import belongs to another store.
    ///
    /// Spec: execution, instantiation.
    pub fn new(
        mut store: impl AsContextMut,
        module: &Module,
        imports: &[Extern],
    ) -> Result<Instance> {
        let store = store.as_context_mut().into_inner().opaque_mut();
        instantiate(store, module, imports)
    }

    fn data<'a>(&self, store: &'a StoreOpaque) -> &'a InstanceData {
        // SAFETY: the record belongs to this store, which is borrowed for as long.
        unsafe { self.0.pointer(store.id()).as_ref() }
    }

    /// The export of that name.
    pub fn get_export(&self, store: impl AsContext, name: &str) -> Option<Extern> {
        let context = store.as_context();
        let store = context.inner().opaque();
        self.data(store).export(store.id(), name)
    }

    /// The exported function of that name.
    pub fn get_func(&self, store: impl AsContext, name: &str) -> Option<Func> {
        self.get_export(store, name)?.into_func()
    }

    /// The exported function of that name, with its signature checked.
    ///
    /// # Errors
    /// When there is none, or its signature differs.
    pub fn get_typed_func<P: WasmParams, R: WasmResults>(
        &self,
        store: impl AsContext,
        name: &str,
    ) -> Result<TypedFunc<P, R>> {
        let func = self
            .get_func(&store, name)
            .ok_or_else(|| Error::usage(format!("no exported function '{name}'")))?;
        func.typed(store)
    }

    /// The exported memory of that name.
    pub fn get_memory(&self, store: impl AsContext, name: &str) -> Option<Memory> {
        self.get_export(store, name)?.into_memory()
    }

    /// The exported table of that name.
    pub fn get_table(&self, store: impl AsContext, name: &str) -> Option<Table> {
        self.get_export(store, name)?.into_table()
    }

    /// The exported global of that name.
    pub fn get_global(&self, store: impl AsContext, name: &str) -> Option<Global> {
        self.get_export(store, name)?.into_global()
    }

    /// All exports, in order.
    pub fn exports(&self, store: impl AsContext) -> Vec<(String, Extern)> {
        let context = store.as_context();
        let store = context.inner().opaque();
        let data = self.data(store);
        data.info()
            .exports
            .iter()
            .map(|(name, index)| (name.to_string(), data.extern_at(store.id(), *index)))
            .collect()
    }

    /// The module.
    pub fn module(&self, store: impl AsContext) -> Module {
        self.data(store.as_context().inner().opaque())
            .module
            .clone()
    }
}

impl InstanceData {
    pub(crate) fn inner(&self) -> &ModuleInner {
        self.module.inner()
    }

    pub(crate) fn info(&self) -> &ModuleInfo {
        &self.inner().info
    }

    pub(crate) fn export(&self, store: StoreId, name: &str) -> Option<Extern> {
        let info = self.info();
        let position = *info.export_names.get(name)?;
        Some(self.extern_at(store, info.exports[position].1))
    }

    fn extern_at(&self, store: StoreId, index: ExternIndex) -> Extern {
        // SAFETY: everything an instance refers to lives in its store.
        unsafe {
            match index {
                ExternIndex::Func(i) => Extern::Func(Func(Stored::new(
                    store,
                    self.func_ref(i).expect("exported"),
                ))),
                ExternIndex::Table(i) => {
                    Extern::Table(Table(Stored::new(store, self.tables[i as usize])))
                }
                ExternIndex::Memory(i) => {
                    Extern::Memory(Memory(Stored::new(store, self.memories[i as usize])))
                }
                ExternIndex::Global(i) => {
                    Extern::Global(Global(Stored::new(store, self.globals[i as usize])))
                }
                ExternIndex::Tag(i) => Extern::Tag(Tag(Stored::new(store, self.tags[i as usize]))),
            }
        }
    }

    /// The function reference of function `func`, or `None` for functions that never escape.
    pub(crate) fn func_ref(&self, func: u32) -> Option<NonNull<FuncRef>> {
        let info = self.info();
        let cx = self.context.as_ptr();
        if func < info.imported_funcs {
            // SAFETY: the array of imported functions has this entry.
            let pointer = unsafe {
                *VmContext::at::<*mut FuncRef>(cx, info.offsets.imported_funcs + func * 8)
            };
            return NonNull::new(pointer);
        }
        let slot = info.func_ref_slots[func as usize];
        if slot == NO_FUNC_REF {
            return None;
        }
        // SAFETY: the array of function references has this entry.
        let pointer =
            unsafe { VmContext::at::<FuncRef>(cx, info.offsets.func_refs + slot * func_ref::SIZE) };
        NonNull::new(pointer)
    }

    /// Evaluates a constant expression to raw slots.
    pub(crate) fn eval(&self, expr: &ConstExpr) -> [u64; 2] {
        let mut stack: Vec<[u64; 2]> = Vec::with_capacity(2);
        for op in &expr.0 {
            let mut binary = |op: fn(u64, u64) -> u64| {
                let b = stack.pop().expect("validated")[0];
                let a = stack.pop().expect("validated")[0];
                [op(a, b), 0]
            };
            let value = match *op {
                ConstOp::I32Const(v) => [u64::from(v as u32), 0],
                ConstOp::I64Const(v) => [v as u64, 0],
                ConstOp::F32Const(bits) => [u64::from(bits), 0],
                ConstOp::F64Const(bits) => [bits, 0],
                ConstOp::V128Const(bytes) => {
                    let bits = u128::from_le_bytes(bytes);
                    [bits as u64, (bits >> 64) as u64]
                }
                // SAFETY: globals before this one are initialised, and their cells are live.
                ConstOp::GlobalGet(i) => unsafe { *self.globals[i as usize].as_ref().cell },
                ConstOp::RefNull => [0; 2],
                ConstOp::RefFunc(func) => [
                    self.func_ref(func)
                        .expect("the decoder saw it escape")
                        .as_ptr() as u64,
                    0,
                ],
                ConstOp::I32Add => binary(|a, b| num::i32_add(a as i32, b as i32) as u32 as u64),
                ConstOp::I32Sub => binary(|a, b| num::i32_sub(a as i32, b as i32) as u32 as u64),
                ConstOp::I32Mul => binary(|a, b| num::i32_mul(a as i32, b as i32) as u32 as u64),
                ConstOp::I64Add => binary(|a, b| num::i64_add(a as i64, b as i64) as u64),
                ConstOp::I64Sub => binary(|a, b| num::i64_sub(a as i64, b as i64) as u64),
                ConstOp::I64Mul => binary(|a, b| num::i64_mul(a as i64, b as i64) as u64),
            };
            stack.push(value);
        }
        stack.pop().expect("validated")
    }

    /// `table.init`: copies elements of a segment into a table.
    pub(crate) fn table_init(
        &mut self,
        segment: u32,
        table: u32,
        dst: u64,
        src: u64,
        len: u64,
    ) -> Result<(), TrapCode> {
        let module = self.module.clone();
        let items = &module.inner().info.elements[segment as usize].items;
        let available = if self.dropped_elements[segment as usize] {
            0
        } else {
            items.len() as u64
        };
        let range = checked_range(src, len, available).ok_or(TrapCode::TableOutOfBounds)?;
        // SAFETY: the table lives in this instance's store, which is running this instruction.
        let table = unsafe { self.tables[table as usize].as_mut() };
        let target = table.def.range(dst, len)?;
        let elements = &mut table.elements_mut()[target];
        match items {
            ElementItems::Funcs(funcs) => {
                for (element, &func) in elements.iter_mut().zip(&funcs[range]) {
                    *element = self
                        .func_ref(func)
                        .expect("the decoder saw it escape")
                        .as_ptr() as u64;
                }
            }
            ElementItems::Exprs(exprs) => {
                for (element, expr) in elements.iter_mut().zip(&exprs[range]) {
                    *element = self.eval(expr)[0];
                }
            }
        }
        Ok(())
    }

    /// `data.drop`.
    pub(crate) fn drop_data(&mut self, segment: u32) {
        self.data[segment as usize] = NonNull::from(<&[u8]>::default());
    }

    /// `memory.init`: copies bytes of a segment into a memory.
    ///
    /// # Safety
    /// The memory is one of this instance's, and lives.
    pub(crate) unsafe fn memory_init(
        &self,
        segment: u32,
        memory: *const MemoryDef,
        dst: u64,
        src: u64,
        len: u64,
    ) -> Result<(), TrapCode> {
        // SAFETY: forwarded. The module keeps its bytes as they are, and this instance the module.
        let (bytes, memory) = unsafe { (self.data[segment as usize].as_ref(), &*memory) };
        let source =
            checked_range(src, len, bytes.len() as u64).ok_or(TrapCode::MemoryOutOfBounds)?;
        let target = memory.range(dst, len)?;
        // SAFETY: both ranges were checked, and a module's bytes are no memory's.
        unsafe {
            core::ptr::copy_nonoverlapping(
                bytes.as_ptr().add(source.start),
                memory.base.add(target.start),
                target.len(),
            );
        }
        Ok(())
    }
}

fn instantiate(store: &mut StoreOpaque, module: &Module, imports: &[Extern]) -> Result<Instance> {
    let inner = module.inner();
    let info = &inner.info;
    if !crate::Engine::same(store.engine(), &inner.engine) {
        return Err(Error::usage(
            "the module was made with another engine than the store",
        ));
    }
    if imports.len() != info.imports.len() {
        return Err(Error::link(format!(
            "expected {} imports, got {}",
            info.imports.len(),
            imports.len()
        )));
    }
    store.check_instances()?;
    let id = store.id();
    let context = VmContextBox::new(&info.offsets);
    let cx = context.as_ptr();
    let mut data = InstanceData {
        store: core::ptr::from_mut(store),
        module: module.clone(),
        context,
        memories: Vec::with_capacity(info.memories.len()),
        tables: Vec::with_capacity(info.tables.len()),
        globals: Vec::with_capacity(info.globals.len()),
        tags: Vec::with_capacity(info.tags.len()),
        dropped_elements: vec![false; info.elements.len()],
        data: info
            .data
            .iter()
            .map(|segment| match (&segment.mode, &inner.images) {
                // It is in a memory from the start.
                (SegmentMode::Active { .. }, Some(_)) => NonNull::from(<&[u8]>::default()),
                _ => NonNull::from(inner.bytes.get(&segment.bytes)),
            })
            .collect(),
    };
    let mut imported_funcs = Vec::with_capacity(info.imported_funcs as usize);
    for (import, item) in info.imports.iter().zip(imports) {
        assert!(item.belongs_to(store), "an import belongs to another store");
        check_import(store, inner, import, item)?;
        match *item {
            Extern::Func(item) => imported_funcs.push(item.0.pointer(id)),
            Extern::Table(item) => data.tables.push(item.0.pointer(id)),
            Extern::Memory(item) => data.memories.push(item.0.pointer(id)),
            Extern::Global(item) => data.globals.push(item.0.pointer(id)),
            Extern::Tag(item) => data.tags.push(item.0.pointer(id)),
        }
    }
    for (&ty, index) in info.memories.iter().zip(0..) {
        if index >= info.imported_memories {
            let image = inner.images.as_ref().map(|images| images.of(index));
            data.memories
                .push(store.new_memory(ty, image)?.0.pointer(id));
        }
    }
    for tag in info.imported_tags..u32::try_from(info.tags.len()).expect("counts fit u32") {
        data.tags
            .push(store.new_tag(info.tag_sig(tag)).0.pointer(id));
    }
    // SAFETY: the context was laid out for exactly these arrays, and nobody runs in it yet.
    unsafe {
        (*cx).limits = &raw const *store.limits;
        (*cx).entries = inner.code.entries();
        (*cx).helpers = store.runner.helpers(store.engine());
        for (i, &index) in info.called_types.iter().enumerate() {
            let number = u64::from(info.types[index as usize].number());
            *VmContext::at(cx, info.offsets.called_types + i as u32 * 8) = number;
        }
        for (i, func) in imported_funcs.iter().enumerate() {
            *VmContext::at(cx, info.offsets.imported_funcs + i as u32 * 8) = func.as_ptr();
        }
        for (i, memory) in data.memories.iter().enumerate() {
            *VmContext::at(cx, info.offsets.memories + i as u32 * 8) = memory.as_ptr();
        }
        match data.memories.first() {
            Some(memory) => {
                (*cx).memory0_base = memory.as_ref().def.base;
                (*cx).memory0 = memory.as_ptr().cast();
            }
            None => (*cx).memory0_base = NonNull::dangling().as_ptr(),
        }
        for (i, tag) in data.tags.iter().enumerate() {
            *VmContext::at(cx, info.offsets.tags + i as u32 * 8) = tag.as_ptr();
        }
        for (func, &slot) in info.func_ref_slots.iter().enumerate() {
            if slot != NO_FUNC_REF {
                let func = func as u32;
                let defined = info.defined_func(func).expect("imports have no slot");
                *VmContext::at(cx, info.offsets.func_refs + slot * func_ref::SIZE) = FuncRef {
                    entry: inner.code.entry(defined),
                    context: cx,
                    signature: info.func_sig(func).to_bits(),
                    host: core::ptr::null(),
                };
            }
        }
        for (i, global) in data.globals.iter().enumerate() {
            *VmContext::at(cx, info.offsets.imported_globals + i as u32 * 8) = global.as_ref().cell;
        }
    }
    for (i, global) in info.globals[info.imported_globals as usize..]
        .iter()
        .enumerate()
    {
        let value = data.eval(global.init.as_ref().expect("defined globals have one"));
        // SAFETY: the array of globals has this cell.
        let cell = unsafe {
            let cell: *mut [u64; 2] = VmContext::at(cx, info.offsets.globals + i as u32 * 16);
            *cell = value;
            cell
        };
        let global = store.add_global(GlobalInst {
            ty: global.ty,
            cell,
            _own: None,
        });
        data.globals.push(global.0.pointer(id));
    }
    for table in &info.tables[info.imported_tables as usize..] {
        let init = table.init.as_ref().map_or(0, |init| data.eval(init)[0]);
        data.tables
            .push(store.new_table(table.ty, init)?.0.pointer(id));
    }
    for (i, table) in data.tables.iter().enumerate() {
        // SAFETY: the array of tables has this entry.
        unsafe { *VmContext::at(cx, info.offsets.tables + i as u32 * 8) = table.as_ptr() };
    }
    // From here on the store owns the instance: whatever it has put into imported tables must stay
    // callable even if a later segment does not fit.
    let mut pointer = store.add_instance(data);
    // SAFETY: the record was made just now, and nothing else uses it before the start function.
    let data = unsafe {
        (*cx).instance = pointer.as_ptr();
        pointer.as_mut()
    };
    run_segments(data)?;
    if let Some(start) = info.start {
        // It may be one that nobody else can refer to.
        let mut own = info.defined_func(start).map(|defined| FuncRef {
            entry: inner.code.entry(defined),
            context: cx,
            signature: info.func_sig(start).to_bits(),
            host: core::ptr::null(),
        });
        let func = match &mut own {
            None => imported_funcs[start as usize],
            Some(own) => NonNull::from(own),
        };
        invoke(store, func, &mut [])?;
    }
    // SAFETY: the arena lives as long as the store.
    Ok(Instance(unsafe { Stored::new(id, pointer) }))
}

/// Copies active segments that are not in an image, elements before data, each in order.
fn run_segments(data: &mut InstanceData) -> Result<()> {
    let module = data.module.clone();
    let info = &module.inner().info;
    for (i, segment) in info.elements.iter().enumerate() {
        match &segment.mode {
            SegmentMode::Active { index, offset } => {
                let offset = offset_value(
                    data.eval(offset)[0],
                    info.tables[*index as usize].ty.table64,
                );
                data.table_init(i as u32, *index, offset, 0, segment.items.len() as u64)?;
                data.dropped_elements[i] = true;
            }
            SegmentMode::Declared => data.dropped_elements[i] = true,
            SegmentMode::Passive => {}
        }
    }
    for (i, segment) in info.data.iter().enumerate() {
        if let SegmentMode::Active { index, offset } = &segment.mode {
            let offset = offset_value(
                data.eval(offset)[0],
                info.memories[*index as usize].memory64,
            );
            // An image was there from the start.
            if module.inner().images.is_none() {
                let memory = data.memories[*index as usize].as_ptr().cast();
                let length = segment.bytes.len() as u64;
                // SAFETY: an instance's memories live as long as its store.
                unsafe { data.memory_init(i as u32, memory, offset, 0, length) }?;
            }
            data.drop_data(i as u32);
        }
    }
    Ok(())
}

fn offset_value(raw: u64, is_64: bool) -> u64 {
    if is_64 { raw } else { u64::from(raw as u32) }
}

fn check_import(
    store: &StoreOpaque,
    module: &ModuleInner,
    import: &zwasm_core::module::Import,
    item: &Extern,
) -> Result<()> {
    let info = &module.info;
    let mismatch = |found: String| {
        Err(Error::link(format!(
            "incompatible import type for '{}'.'{}': expected {}, found {found}",
            import.module,
            import.name,
            describe(&module.extern_type(import.index)),
        )))
    };
    // SAFETY: the item belongs to this store, which is borrowed.
    unsafe {
        match (import.index, *item) {
            (ExternIndex::Func(i), Extern::Func(func)) => {
                if func.0.pointer(store.id()).as_ref().sig() != info.func_sig(i) {
                    return mismatch(format!("function {}", func.func_type(store)));
                }
            }
            (ExternIndex::Table(i), Extern::Table(table)) => {
                let wanted = info.tables[i as usize].ty;
                let table = table.0.pointer(store.id()).as_ref();
                let actual = TableType {
                    minimum: table.len(),
                    ..table.ty
                };
                if wanted.element != actual.element
                    || wanted.table64 != actual.table64
                    || !limits_fit(
                        wanted.minimum,
                        wanted.maximum,
                        actual.minimum,
                        actual.maximum,
                    )
                {
                    return mismatch(describe(&crate::ExternType::Table(actual)));
                }
            }
            (ExternIndex::Memory(i), Extern::Memory(memory)) => {
                let wanted = info.memories[i as usize];
                let memory = memory.0.pointer(store.id()).as_ref();
                let actual = MemoryType {
                    minimum: memory.pages(),
                    ..memory.ty
                };
                if wanted.memory64 != actual.memory64
                    || wanted.page_size_log2 != actual.page_size_log2
                    || !limits_fit(
                        wanted.minimum,
                        wanted.maximum,
                        actual.minimum,
                        actual.maximum,
                    )
                {
                    return mismatch(describe(&crate::ExternType::Memory(actual)));
                }
            }
            (ExternIndex::Global(i), Extern::Global(global)) => {
                let wanted = info.globals[i as usize].ty;
                let actual = global.0.pointer(store.id()).as_ref().ty;
                let fits = wanted.mutability == actual.mutability
                    && match wanted.mutability {
                        zwasm_core::Mutability::Var => wanted.content == actual.content,
                        zwasm_core::Mutability::Const => actual.content.matches(wanted.content),
                    };
                if !fits {
                    return mismatch(describe(&crate::ExternType::Global(actual)));
                }
            }
            (ExternIndex::Tag(i), Extern::Tag(tag)) => {
                if tag.0.pointer(store.id()).as_ref().sig != info.tag_sig(i) {
                    return mismatch("a tag of another type".to_owned());
                }
            }
            _ => return mismatch(format!("a {}", item.kind())),
        }
    }
    Ok(())
}

fn limits_fit(min: u64, max: Option<u64>, actual: u64, actual_max: Option<u64>) -> bool {
    actual >= min
        && match max {
            None => true,
            Some(max) => actual_max.is_some_and(|actual_max| actual_max <= max),
        }
}

fn describe(ty: &crate::ExternType) -> String {
    use crate::ExternType;
    let limits = |min: u64, max: Option<u64>| match max {
        Some(max) => format!("{min}..{max}"),
        None => format!("{min}.."),
    };
    match ty {
        ExternType::Func(ty) => format!("function {ty}"),
        ExternType::Table(ty) => format!(
            "{}table {} of {}",
            if ty.table64 { "64-bit " } else { "" },
            limits(ty.minimum, ty.maximum),
            zwasm_core::ValType::Ref(ty.element)
        ),
        ExternType::Memory(ty) => format!(
            "{}memory of {} pages of {} bytes",
            if ty.memory64 { "64-bit " } else { "" },
            limits(ty.minimum, ty.maximum),
            1_u32 << ty.page_size_log2
        ),
        ExternType::Global(ty) => format!(
            "{} global of type {}",
            if ty.mutability == zwasm_core::Mutability::Var {
                "mutable"
            } else {
                "constant"
            },
            ty.content
        ),
        ExternType::Tag(ty) => format!("tag {ty}"),
    }
}
