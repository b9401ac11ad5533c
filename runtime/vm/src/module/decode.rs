//! From bytes to a validated [`ModuleInner`]: one walk over the sections, then the function bodies
//! are validated on all cores.

use super::ModuleInner;
use super::bytes::ModuleBytes;
use super::image::Images;
use super::names::{FunctionNames, ModuleNames, Section};
use super::sections;
use super::validate::{Body, Found, validate_bodies};
use crate::code::ModuleCode;
use crate::code::artifact::{Facts, Kept};
use crate::code::cache::Entry;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::types::{HeldTypes, SELF_SIG};
use std::sync::Arc;
use wasmparser::{
    BinaryReaderError, CompositeInnerType, ElementItems as WpElements, ElementKind, ExternalKind,
    Parser, Payload, TypeRef, ValidPayload, Validator, WasmFeatures,
};
use zwasm_core::module::{
    ConstExpr, ConstOp, DataSegment, ElementItems, ElementSegment, ExternIndex, GlobalDecl, Import,
    ModuleInfo, NO_FUNC_REF, SegmentMode, TableDecl,
};
use zwasm_core::vmctx::{VmCounts, VmOffsets};
use zwasm_core::{
    FuncType, GlobalType, HeapType, MemoryType, Mutability, RefType, SigId, TableType, ValType,
};

/// What zwasm does not have yet, in the words of error messages.
const MISSING: &[(WasmFeatures, &str)] = &[
    (
        WasmFeatures::GC.union(WasmFeatures::GC_TYPES),
        "garbage collection (struct, array and i31 types)",
    ),
    (WasmFeatures::STACK_SWITCHING, "stack switching"),
    (
        WasmFeatures::LEGACY_EXCEPTIONS,
        "legacy exception handling (use the standard one)",
    ),
];

/// Validates and decodes; bodies only if the cache has nothing of them.
pub(super) fn decode(engine: &Engine, bytes: Vec<u8>) -> Result<ModuleInner> {
    let entry = Entry::of(engine, &bytes);
    let cache = engine.config().code_cache.as_ref();
    let known = entry.as_ref().zip(cache);
    let known = known.and_then(|(entry, cache)| entry.find(cache, &bytes));
    let known = known.and_then(|(facts, kept)| {
        let decoded = known_bodies(engine, &bytes, Known::Bodies(&facts), &kept)?;
        Some((decoded, kept))
    });
    let (decoded, kept) = if let Some(((info, types, _, held), kept)) = known {
        ((info, types, Some(Found::default()), held), Some(kept))
    } else {
        match Decoder::new(engine).run(&bytes, Known::Nothing) {
            Ok(decoded) => (decoded, None),
            Err(error) => return Err(explain(engine, error, &bytes)),
        }
    };
    let images = Images::new(&decoded.0, &bytes);
    let mut module = module(engine, bytes, decoded, kept, images);
    module.cached = entry;
    Ok(module)
}

/// Decodes a precompiled module.
pub(super) fn decode_compiled(
    engine: &Engine,
    bytes: Vec<u8>,
    facts: &Facts,
    kept: Kept,
    images: impl FnOnce(&ModuleInfo, &Kept) -> Result<Option<Images>>,
) -> Result<ModuleInner> {
    let another =
        || Error::usage("this precompiled module cannot run: its parts do not fit together");
    let known = Known::Module(facts);
    let decoded = known_bodies(engine, &bytes, known, &kept).ok_or_else(another)?;
    let images = images(&decoded.0, &kept)?;
    Ok(module(engine, bytes, decoded, Some(kept), images))
}

/// Decodes a module whose bodies are known to be valid, if code and facts may be its.
fn known_bodies(engine: &Engine, bytes: &[u8], known: Known<'_>, kept: &Kept) -> Option<Decoded> {
    let decoded = Decoder::new(engine).run(bytes, known).ok()?;
    (decoded.0.bodies.len() == kept.count()).then_some(decoded)
}

fn module(
    engine: &Engine,
    bytes: Vec<u8>,
    (info, types, found, held): Decoded,
    kept: Option<Kept>,
    images: Option<Images>,
) -> ModuleInner {
    let code = ModuleCode::new(info.bodies.len(), engine.supply());
    let bytes = Arc::new(ModuleBytes::new(bytes, &info, images.is_some()));
    let (info, kept) = (Arc::new(info), kept.map(Arc::new));
    let names = match &kept {
        // It has no bodies of its own, and no names.
        Some(kept) if found.is_none() => Section::Kept(kept.clone()),
        _ => Section::Module(bytes.clone()),
    };
    ModuleInner {
        engine: engine.clone(),
        names: Arc::new(ModuleNames::new(info.clone(), names)),
        info,
        types,
        _held: held,
        found,
        kept,
        cached: None,
        bytes,
        images,
        code,
    }
}

/// Turns a validation error into "unsupported" when only a missing feature made it one.
fn explain(engine: &Engine, error: DecodeError, bytes: &[u8]) -> Error {
    let validate_with = |features: WasmFeatures| {
        Validator::new_with_features(engine.features() | features).validate_all(bytes)
    };
    let is_valid_with = |features: WasmFeatures| validate_with(features).is_ok();
    let all = MISSING.iter().map(|&(feature, _)| feature);
    let with_all = validate_with(all.fold(WasmFeatures::empty(), WasmFeatures::union));
    let shared_memory = shared_memory(bytes);
    let offset = match (error, with_all) {
        (DecodeError::Other(error), _) => return error,
        (DecodeError::Parse(error), Err(_)) | (DecodeError::SharedMemory, Err(error)) => {
            return Error::module(error.message(), to_usize(error.offset()));
        }
        (DecodeError::Parse(error), Ok(_)) => to_usize(error.offset()),
        (DecodeError::SharedMemory, Ok(_)) => shared_memory.unwrap_or(0),
    };
    // Those without which it is not valid although all others are there.
    let is_needed = |&&(feature, _): &&(WasmFeatures, &str)| {
        let others = MISSING.iter().map(|&(other, _)| other);
        let others = others.filter(|&other| other != feature);
        !is_valid_with(others.fold(WasmFeatures::empty(), WasmFeatures::union))
    };
    let needed = MISSING.iter().filter(is_needed).map(|&(_, name)| name);
    let needed: Vec<&str> = shared_memory
        .map(|_| "threads (shared memories)")
        .into_iter()
        .chain(needed)
        .collect();
    let place = match function_at(bytes, offset) {
        Some(function) => format!(" in {function}"),
        None => String::new(),
    };
    Error::unsupported(format!(
        "{} (at offset {offset:#x}{place})",
        needed.join(" and ")
    ))
}

/// Where the first memory is declared that threads share.
fn shared_memory(bytes: &[u8]) -> Option<usize> {
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.ok()? {
            Payload::ImportSection(reader) => {
                for import in reader.into_imports_with_offsets() {
                    let (offset, import) = import.ok()?;
                    if matches!(import.ty, TypeRef::Memory(ty) if ty.shared) {
                        return Some(to_usize(offset));
                    }
                }
            }
            Payload::MemorySection(reader) => {
                for memory in reader.into_iter_with_offsets() {
                    let (offset, ty) = memory.ok()?;
                    if ty.shared {
                        return Some(to_usize(offset));
                    }
                }
            }
            _ => {}
        }
    }
    None
}

/// The function whose body is at an offset: its index, and its name if it has one.
fn function_at(bytes: &[u8], offset: usize) -> Option<String> {
    let mut index = 0;
    let mut found = None;
    let mut names = None;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.ok()? {
            Payload::ImportSection(reader) => {
                let imports = reader.into_imports().map_while(Result::ok);
                let functions =
                    imports.filter(|i| matches!(i.ty, TypeRef::Func(_) | TypeRef::FuncExact(_)));
                index += functions.count() as u32;
            }
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                if (to_usize(range.start)..to_usize(range.end)).contains(&offset) {
                    found = Some(index);
                }
                index += 1;
            }
            Payload::CustomSection(section) if section.name() == "name" => {
                names = Some(section.data());
            }
            _ => {}
        }
    }
    let found = found?;
    Some(match FunctionNames::parse(names).get(found) {
        Some(name) => format!("function {found} '{name}'"),
        None => format!("function {found}"),
    })
}

enum DecodeError {
    Parse(BinaryReaderError),
    /// A memory that threads share.
    SharedMemory,
    Other(Error),
}

impl From<BinaryReaderError> for DecodeError {
    fn from(error: BinaryReaderError) -> Self {
        DecodeError::Parse(error)
    }
}

/// What is known to be valid in a module.
#[derive(Clone, Copy)]
enum Known<'f> {
    Nothing,
    /// Its bodies, in which this was found.
    Bodies(&'f Facts),
    /// All of it; its bodies are somewhere else.
    Module(&'f Facts),
}

/// A module's description and types, what validation found unless bodies were not validated, and what
/// keeps the types.
type Decoded = (ModuleInfo, Vec<Arc<FuncType>>, Option<Found>, HeldTypes);

struct Decoder<'e> {
    engine: &'e Engine,
    info: ModuleInfo,
    types: Vec<Arc<FuncType>>,
    held: HeldTypes,
    /// Functions that a `funcref` may point to.
    escaping: Vec<u32>,
}

impl<'e> Decoder<'e> {
    fn new(engine: &'e Engine) -> Self {
        Decoder {
            engine,
            info: ModuleInfo::default(),
            types: Vec::new(),
            held: HeldTypes::new(engine),
            escaping: Vec::new(),
        }
    }

    /// Validates what is not known to be valid.
    fn run(mut self, bytes: &[u8], known: Known<'_>) -> Result<Decoded, DecodeError> {
        let features = self.engine.features();
        let mut validator = Validator::new_with_features(features);
        let mut parser = Parser::new(0);
        parser.set_features(features);
        let mut bodies: Vec<Body<'_>> = Vec::new();
        for payload in parser.parse_all(bytes) {
            let payload = payload?;
            if let Payload::Version {
                encoding: wasmparser::Encoding::Component,
                ..
            } = payload
            {
                return Err(DecodeError::Other(Error::unsupported(super::COMPONENT)));
            }
            let range = match (&payload, known) {
                // The validator need not hear of them, nor of an end without them.
                (Payload::CodeSectionEntry(body), Known::Bodies(_) | Known::Module(_)) => {
                    Some(body.range())
                }
                (Payload::End(_), Known::Bodies(_)) | (_, Known::Module(_)) => None,
                (payload, _) => match validator.payload(payload)? {
                    ValidPayload::Func(func, body) => {
                        let range = body.range();
                        bodies.push((func, body));
                        Some(range)
                    }
                    _ => None,
                },
            };
            if let Some(range) = range {
                let bodies = &mut self.info.bodies;
                bodies.push(to_usize(range.start)..to_usize(range.end));
            }
            if let Some((id, range)) = payload.as_section() {
                let range = to_usize(range.start)..to_usize(range.end);
                match id {
                    sections::CUSTOM => {}
                    sections::DATA => self.info.data_section = Some(range),
                    _ => self.info.bodies_end = range.end,
                }
            }
            self.section(payload)?;
        }
        let info = &mut self.info;
        let found = match known {
            Known::Nothing => {
                let threads = self.engine.config().validation_threads;
                let mut found = validate_bodies(bodies, threads, features, info.imported_funcs)?;
                info.leaves_by_tail_call = found.leaves_by_tail_call;
                info.has_tail_calls = found.has_tail_calls;
                let called_types = core::mem::take(&mut found.called_types);
                info.called_types = called_types.iter().collect();
                Some(found)
            }
            Known::Bodies(facts) | Known::Module(facts) => {
                take_facts(info, facts)?;
                None
            }
        };
        self.finish();
        Ok((self.info, self.types, found, self.held))
    }

    fn section(&mut self, payload: Payload<'_>) -> Result<(), DecodeError> {
        match payload {
            Payload::TypeSection(reader) => {
                for group in reader {
                    for ty in group?.types() {
                        let CompositeInnerType::Func(func) = &ty.composite_type.inner else {
                            unreachable!("validation rejects other types");
                        };
                        let own = self.info.types.len();
                        let map = |types: &[wasmparser::ValType]| {
                            types
                                .iter()
                                .map(|ty| self.val_type(*ty, own))
                                .collect::<Vec<_>>()
                        };
                        let key = FuncType::new(map(func.params()), map(func.results()));
                        let sig = self.held.intern(key).map_err(DecodeError::Other)?;
                        self.types.push(self.engine.inner().types.get(sig));
                        self.info.types.push(sig);
                    }
                }
            }
            Payload::ImportSection(reader) => {
                for import in reader.into_imports() {
                    self.import(import?)?;
                }
            }
            Payload::FunctionSection(reader) => {
                for ty in reader {
                    self.info.funcs.push(ty?);
                }
            }
            Payload::TableSection(reader) => {
                for table in reader {
                    let table = table?;
                    let init = match table.init {
                        wasmparser::TableInit::RefNull => None,
                        wasmparser::TableInit::Expr(expr) => Some(self.const_expr(&expr)?),
                    };
                    let ty = self.table_type(table.ty);
                    self.info.tables.push(TableDecl { ty, init });
                }
            }
            Payload::MemorySection(reader) => {
                for memory in reader {
                    self.info.memories.push(memory_type(memory?)?);
                }
            }
            Payload::TagSection(reader) => {
                for tag in reader {
                    self.info.tags.push(tag?.func_type_idx);
                }
            }
            Payload::GlobalSection(reader) => {
                for global in reader {
                    let global = global?;
                    let init = Some(self.const_expr(&global.init_expr)?);
                    let ty = self.global_type(global.ty);
                    self.info.globals.push(GlobalDecl { ty, init });
                }
            }
            Payload::ExportSection(reader) => {
                for export in reader {
                    let export = export?;
                    let index = extern_index(export.kind, export.index);
                    if let ExternIndex::Func(func) = index {
                        self.escaping.push(func);
                    }
                    let name: Box<str> = export.name.into();
                    self.info
                        .export_names
                        .insert(name.clone(), self.info.exports.len());
                    self.info.exports.push((name, index));
                }
            }
            Payload::StartSection { func, .. } => self.info.start = Some(func),
            Payload::ElementSection(reader) => {
                for element in reader {
                    let segment = self.element(element?)?;
                    self.info.elements.push(segment);
                }
            }
            Payload::DataSection(reader) => {
                for data in reader {
                    let data = data?;
                    let mode = match data.kind {
                        wasmparser::DataKind::Passive => SegmentMode::Passive,
                        wasmparser::DataKind::Active {
                            memory_index,
                            offset_expr,
                        } => {
                            let offset = self.const_expr(&offset_expr)?;
                            SegmentMode::Active {
                                index: memory_index,
                                offset,
                            }
                        }
                    };
                    let end = to_usize(data.range.end);
                    self.info.data.push(DataSegment {
                        mode,
                        bytes: end - data.data.len()..end,
                    });
                }
            }
            Payload::CustomSection(reader) if reader.name() == "name" => {
                let start = to_usize(reader.data_offset());
                self.info.name_section = Some(start..start + reader.data().len());
            }
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, import: wasmparser::Import<'_>) -> Result<(), DecodeError> {
        let info = &mut self.info;
        let index = match import.ty {
            TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                info.funcs.push(ty);
                info.imported_funcs += 1;
                ExternIndex::Func(info.imported_funcs - 1)
            }
            TypeRef::Table(ty) => {
                let ty = self.table_type(ty);
                let info = &mut self.info;
                info.tables.push(TableDecl { ty, init: None });
                info.imported_tables += 1;
                ExternIndex::Table(info.imported_tables - 1)
            }
            TypeRef::Memory(ty) => {
                info.memories.push(memory_type(ty)?);
                info.imported_memories += 1;
                ExternIndex::Memory(info.imported_memories - 1)
            }
            TypeRef::Global(ty) => {
                let ty = self.global_type(ty);
                let info = &mut self.info;
                info.globals.push(GlobalDecl { ty, init: None });
                info.imported_globals += 1;
                ExternIndex::Global(info.imported_globals - 1)
            }
            TypeRef::Tag(ty) => {
                info.tags.push(ty.func_type_idx);
                info.imported_tags += 1;
                ExternIndex::Tag(info.imported_tags - 1)
            }
        };
        self.info.imports.push(Import {
            module: import.module.into(),
            name: import.name.into(),
            index,
        });
        Ok(())
    }

    fn element(&mut self, element: wasmparser::Element<'_>) -> Result<ElementSegment, DecodeError> {
        let mode = match element.kind {
            ElementKind::Passive => SegmentMode::Passive,
            ElementKind::Declared => SegmentMode::Declared,
            ElementKind::Active {
                table_index,
                offset_expr,
            } => SegmentMode::Active {
                index: table_index.unwrap_or(0),
                offset: self.const_expr(&offset_expr)?,
            },
        };
        let (ty, items) = match element.items {
            WpElements::Functions(reader) => {
                let funcs = reader.into_iter().collect::<Result<Box<[u32]>, _>>()?;
                self.escaping.extend_from_slice(&funcs);
                (
                    RefType {
                        nullable: false,
                        heap: HeapType::Func,
                    },
                    ElementItems::Funcs(funcs),
                )
            }
            WpElements::Expressions(ty, reader) => {
                let mut exprs = Vec::new();
                for expr in reader {
                    exprs.push(self.const_expr(&expr?)?);
                }
                (
                    self.ref_type(ty, usize::MAX),
                    ElementItems::Exprs(exprs.into()),
                )
            }
        };
        Ok(ElementSegment { mode, ty, items })
    }

    fn const_expr(&mut self, expr: &wasmparser::ConstExpr<'_>) -> Result<ConstExpr, DecodeError> {
        use wasmparser::Operator as Op;
        // Nearly all have one, and some modules tens of thousands of expressions.
        let mut ops = Vec::with_capacity(1);
        let mut reader = expr.get_operators_reader();
        while !reader.eof() {
            ops.push(match reader.read()? {
                Op::I32Const { value } => ConstOp::I32Const(value),
                Op::I64Const { value } => ConstOp::I64Const(value),
                Op::F32Const { value } => ConstOp::F32Const(value.bits()),
                Op::F64Const { value } => ConstOp::F64Const(value.bits()),
                Op::V128Const { value } => ConstOp::V128Const(*value.bytes()),
                Op::GlobalGet { global_index } => ConstOp::GlobalGet(global_index),
                Op::RefNull { .. } => ConstOp::RefNull,
                Op::RefFunc { function_index } => {
                    self.escaping.push(function_index);
                    ConstOp::RefFunc(function_index)
                }
                Op::I32Add => ConstOp::I32Add,
                Op::I32Sub => ConstOp::I32Sub,
                Op::I32Mul => ConstOp::I32Mul,
                Op::I64Add => ConstOp::I64Add,
                Op::I64Sub => ConstOp::I64Sub,
                Op::I64Mul => ConstOp::I64Mul,
                Op::End => break,
                other => unreachable!("validation rejects {other:?} in a constant expression"),
            });
        }
        Ok(ConstExpr(ops.into()))
    }

    /// Numbers the functions that escape and lays out the VM context.
    fn finish(&mut self) {
        let info = &mut self.info;
        info.func_ref_slots = vec![NO_FUNC_REF; info.funcs.len()];
        for &func in &self.escaping {
            let slot = &mut info.func_ref_slots[func as usize];
            if *slot == NO_FUNC_REF && func >= info.imported_funcs {
                *slot = info.func_ref_count;
                info.func_ref_count += 1;
            }
        }
        let count = |len: usize| u32::try_from(len).expect("validation limits counts");
        info.offsets = VmOffsets::new(&VmCounts {
            memories: count(info.memories.len()),
            tables: count(info.tables.len()),
            imported_funcs: info.imported_funcs,
            imported_globals: info.imported_globals,
            tags: count(info.tags.len()),
            called_types: count(info.called_types.len()),
            func_refs: info.func_ref_count,
            globals: count(info.globals.len()) - info.imported_globals,
        });
    }

    fn val_type(&self, ty: wasmparser::ValType, own: usize) -> ValType {
        convert_val_type(ty, &self.info.types, own)
    }

    fn ref_type(&self, ty: wasmparser::RefType, own: usize) -> RefType {
        convert_ref_type(ty, &self.info.types, own)
    }

    fn table_type(&self, ty: wasmparser::TableType) -> TableType {
        TableType {
            element: self.ref_type(ty.element_type, usize::MAX),
            minimum: ty.initial,
            maximum: ty.maximum,
            table64: ty.table64,
        }
    }

    fn global_type(&self, ty: wasmparser::GlobalType) -> GlobalType {
        GlobalType {
            content: self.val_type(ty.content_type, usize::MAX),
            mutability: if ty.mutable {
                Mutability::Var
            } else {
                Mutability::Const
            },
        }
    }
}

/// What is known of bodies that nobody validates.
fn take_facts(info: &mut ModuleInfo, facts: &Facts) -> Result<(), DecodeError> {
    info.leaves_by_tail_call = facts.leaves_by_tail_call;
    info.has_tail_calls = facts.has_tail_calls;
    info.called_types.clone_from(&facts.called_types);
    let types = info.types.len();
    let functions = info.imported_funcs as usize + info.bodies.len();
    if info.called_types.iter().any(|&ty| ty as usize >= types) || functions != info.funcs.len() {
        let error = Error::usage("the machine code is another module's");
        return Err(DecodeError::Other(error));
    }
    Ok(())
}

/// An offset in the module, which is in memory.
fn to_usize(offset: u64) -> usize {
    usize::try_from(offset).expect("offsets lie in the module's bytes")
}

/// Canonicalises a value type; `own` is the index of the type being defined, if any.
pub(crate) fn convert_val_type(ty: wasmparser::ValType, types: &[SigId], own: usize) -> ValType {
    match ty {
        wasmparser::ValType::I32 => ValType::I32,
        wasmparser::ValType::I64 => ValType::I64,
        wasmparser::ValType::F32 => ValType::F32,
        wasmparser::ValType::F64 => ValType::F64,
        wasmparser::ValType::V128 => ValType::V128,
        wasmparser::ValType::Ref(ty) => ValType::Ref(convert_ref_type(ty, types, own)),
    }
}

fn convert_ref_type(ty: wasmparser::RefType, types: &[SigId], own: usize) -> RefType {
    RefType {
        nullable: ty.is_nullable(),
        heap: convert_heap(ty.heap_type(), types, own),
    }
}

fn convert_heap(ty: wasmparser::HeapType, types: &[SigId], own: usize) -> HeapType {
    use wasmparser::AbstractHeapType as Abstract;
    match ty {
        wasmparser::HeapType::Abstract { ty, .. } => match ty {
            Abstract::Func => HeapType::Func,
            Abstract::Extern => HeapType::Extern,
            Abstract::Exn => HeapType::Exn,
            Abstract::NoFunc => HeapType::NoFunc,
            Abstract::NoExtern => HeapType::NoExtern,
            Abstract::NoExn => HeapType::NoExn,
            other => unreachable!("validation rejects {other:?}"),
        },
        wasmparser::HeapType::Concrete(index) | wasmparser::HeapType::Exact(index) => {
            let index = index
                .as_module_index()
                .expect("indices of the module being read") as usize;
            HeapType::Concrete(if index == own { SELF_SIG } else { types[index] })
        }
    }
}

/// Canonicalises a heap type.
pub(crate) fn convert_heap_type(ty: wasmparser::HeapType, types: &[SigId]) -> HeapType {
    convert_heap(ty, types, usize::MAX)
}

fn memory_type(ty: wasmparser::MemoryType) -> Result<MemoryType, DecodeError> {
    if ty.shared {
        return Err(DecodeError::SharedMemory);
    }
    Ok(MemoryType {
        minimum: ty.initial,
        maximum: ty.maximum,
        memory64: ty.memory64,
        page_size_log2: ty.page_size_log2.map_or(16, |log2| {
            u8::try_from(log2).expect("validation allows 0 and 16")
        }),
    })
}

fn extern_index(kind: ExternalKind, index: u32) -> ExternIndex {
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => ExternIndex::Func(index),
        ExternalKind::Table => ExternIndex::Table(index),
        ExternalKind::Memory => ExternIndex::Memory(index),
        ExternalKind::Global => ExternIndex::Global(index),
        ExternalKind::Tag => ExternIndex::Tag(index),
    }
}
