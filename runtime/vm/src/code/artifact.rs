//! Machine code of a whole module as bytes, for files.
//!
//! | part | what |
//! |---|---|
//! | [`MAGIC`] | tells it from modules |
//! | format | a number of this layout, 4 bytes |
//! | head | its length, its checksum, and then: what the code was made for, as text ([`Setting`]); the module without bodies ([`strip`]); what validation found; and of each function the place, length and checksum of its code |
//! | functions | the code of each with its side tables |
//!
//! Numbers are little-endian, checksums CRC-32. They are against accidents: who can write the file can have
//! anything executed, which is why reading one is unsafe. The head is checked when the module is loaded, a
//! function when it is first called, so that what is never called costs nothing.

use crate::error::{Error, Result};
use core::fmt;
use core::ops::Range;
use std::fs::File;
use std::os::unix::fs::FileExt;
use wasmparser::{BinaryReaderError, Parser, Payload};
use zwasm_core::TrapCode;
use zwasm_jit::contract::{
    CatchClause, CatchRange, Compiled, InlinedCall, Relocation, Scope, Site,
};

/// The first bytes: those of a module but for some letters.
pub(crate) const MAGIC: &[u8; 8] = b"\0zwcode\n";

/// The number of the layout above.
const FORMAT: u32 = 1;

/// More than any module has: the formats' own limit.
const HEAD_BYTES_MAX: u32 = 1 << 30;

/// Magic, format, length and checksum of the head.
const BEGINNING_BYTES: usize = MAGIC.len() + 12;

/// What code was made for. It runs where this is the same, word for word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Setting(String);

impl Setting {
    /// Of these parts, each with its name.
    pub(crate) fn of(parts: &[(&str, &dyn fmt::Display)]) -> Setting {
        let parts = parts.iter().map(|(name, value)| format!("{name} {value}"));
        Setting(parts.collect::<Vec<_>>().join(", "))
    }

    /// What is not the same, for people.
    fn difference(&self, other: &str) -> String {
        let pairs = self.0.split(", ").zip(other.split(", "));
        let different = pairs.into_iter().find(|(ours, theirs)| ours != theirs);
        match different {
            Some((ours, theirs)) => format!("it has {theirs}, here is {ours}"),
            None => "it was made by another version".to_owned(),
        }
    }
}

/// What is known of a precompiled module before its functions are called.
#[derive(Debug)]
pub(crate) struct Head {
    /// In binary form, without bodies.
    pub(crate) module: Vec<u8>,
    /// Whether a function may leave the instance by a tail call.
    pub(crate) leaves_by_tail_call: bool,
    /// Whether a function has a tail call.
    pub(crate) has_tail_calls: bool,
    /// The types that indirect calls name.
    pub(crate) called_types: Vec<u32>,
}

/// Where the code of a function is.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// From the end of the head on, in bytes.
    offset: u32,
    length: u32,
    checksum: u32,
}

/// The bytes of a precompiled module.
#[derive(Debug)]
pub(crate) enum Source {
    Memory(Vec<u8>),
    File(File),
}

impl Source {
    /// The bytes in a range; an error where there are fewer.
    fn read(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let cut = || refused("it is cut off");
        let length = range.end - range.start;
        match self {
            Source::Memory(bytes) => {
                let range = range.start as usize..range.end as usize;
                bytes.get(range).map(<[u8]>::to_vec).ok_or_else(cut)
            }
            Source::File(file) => {
                // A length that is wrong must not make us take memory.
                let all = file.metadata().map_or(0, |metadata| metadata.len());
                if range.end > all {
                    return Err(cut());
                }
                let mut bytes = Vec::new();
                let reserved = bytes.try_reserve_exact(length as usize);
                reserved.map_err(|_| Error::resource("the host has no memory for machine code"))?;
                bytes.resize(length as usize, 0);
                let read = file.read_exact_at(&mut bytes, range.start);
                read.map_err(|error| refused(&error.to_string()))?;
                Ok(bytes)
            }
        }
    }

    /// How many there are.
    fn length(&self) -> Result<u64> {
        match self {
            Source::Memory(bytes) => Ok(bytes.len() as u64),
            Source::File(file) => {
                let metadata = file.metadata();
                Ok(metadata.map_err(|error| refused(&error.to_string()))?.len())
            }
        }
    }
}

/// Machine code of a module that waits to be called.
#[derive(Debug)]
pub(crate) struct Kept {
    source: Source,
    /// Where the functions begin.
    start: u64,
    /// By the index among the functions with a body.
    functions: Vec<Place>,
    /// How many types indirect calls name.
    called_types: usize,
}

impl Kept {
    /// Reads all but the functions of what [`write`] wrote.
    ///
    /// # Errors
    /// One line that says what is wrong: it is no such file, or one of another version or setting, or
    /// not what was written.
    pub(crate) fn open(source: Source, setting: &Setting) -> Result<(Head, Kept)> {
        let cut = || refused("it is cut off");
        let beginning = source.read(0..BEGINNING_BYTES as u64)?;
        let mut input = Reader(&beginning);
        if input.take(MAGIC.len()) != Some(MAGIC) {
            return Err(refused("it is none"));
        }
        if input.number().ok_or_else(cut)? != FORMAT {
            return Err(refused("its format is that of another version"));
        }
        let length = input.number().ok_or_else(cut)?;
        let checksum = input.number().ok_or_else(cut)?;
        if length > HEAD_BYTES_MAX {
            return Err(refused("it is altered"));
        }
        let start = BEGINNING_BYTES as u64 + u64::from(length);
        let head = source.read(BEGINNING_BYTES as u64..start)?;
        if crc32fast::hash(&head) != checksum {
            return Err(refused("it is altered"));
        }
        let mut input = Reader(&head);
        let theirs = String::from_utf8_lossy(input.bytes().ok_or_else(cut)?).into_owned();
        if theirs != setting.0 {
            return Err(refused(&setting.difference(&theirs)));
        }
        let (head, functions) = input.head().ok_or_else(cut)?;
        let end = functions.last().map_or(0, |place| place.end());
        if source.length()? != start + end {
            return Err(cut());
        }
        let kept = Kept {
            source,
            start,
            functions,
            called_types: head.called_types.len(),
        };
        Ok((head, kept))
    }

    /// How many functions there are.
    pub(crate) fn count(&self) -> usize {
        self.functions.len()
    }

    /// The code of a function.
    ///
    /// # Errors
    /// When it is not what was written.
    pub(crate) fn function(&self, defined: u32) -> Result<Compiled> {
        let place = self.functions[defined as usize];
        let range = self.start + u64::from(place.offset)..self.start + place.end();
        let bytes = self.source.read(range)?;
        let altered = || refused(&format!("its function {defined} is altered"));
        if crc32fast::hash(&bytes) != place.checksum {
            return Err(altered());
        }
        let mut input = Reader(&bytes);
        let compiled = input.function().filter(|_| input.0.is_empty());
        let fits = |compiled: &Compiled| {
            let inlined = compiled.inlined.len();
            let is_known = |scope: Scope| scope.number().is_none_or(|number| number < inlined);
            let callers = compiled.inlined.iter().filter_map(|call| call.caller);
            let sites = compiled.sites.iter().map(|site| site.scope);
            sites.chain(callers).all(is_known)
                && compiled.relocations.iter().all(|relocation| {
                    (relocation.called_type as usize) < self.called_types
                        && (relocation.offset as usize).saturating_add(4) <= compiled.code.len()
                })
        };
        compiled.filter(fits).ok_or_else(altered)
    }
}

impl Place {
    fn end(self) -> u64 {
        u64::from(self.offset) + u64::from(self.length)
    }
}

fn refused(why: &str) -> Error {
    Error::usage(format!("this precompiled module cannot run: {why}"))
}

/// Writes a module and the code of its functions.
///
/// # Errors
/// When there are more bytes than the format has numbers for.
pub(crate) fn write(setting: &Setting, head: &Head, functions: &[Compiled]) -> Result<Vec<u8>> {
    let too_large = |_| Error::resource("the machine code has more than 4 GiB");
    let mut code = Writer(Vec::new());
    let mut places = Vec::with_capacity(functions.len());
    for function in functions {
        let start = code.0.len();
        code.function(function);
        places.push(Place {
            offset: u32::try_from(start).map_err(too_large)?,
            length: u32::try_from(code.0.len() - start).map_err(too_large)?,
            checksum: crc32fast::hash(&code.0[start..]),
        });
    }
    let mut out = Writer(Vec::new());
    out.bytes(setting.0.as_bytes());
    out.bytes(&head.module);
    out.flag(head.leaves_by_tail_call);
    out.flag(head.has_tail_calls);
    out.list(&head.called_types, |out, &ty| out.number(ty));
    out.list(&places, |out, place| {
        out.number(place.offset);
        out.number(place.length);
        out.number(place.checksum);
    });
    let head = out.0;
    let mut out = Writer(MAGIC.to_vec());
    out.number(FORMAT);
    out.number(u32::try_from(head.len()).map_err(too_large)?);
    out.number(crc32fast::hash(&head));
    out.0.extend_from_slice(&head);
    out.0.append(&mut code.0);
    Ok(out.0)
}

/// A valid module as it is kept beside its machine code: its bodies only trap, and of its custom
/// sections there are names only.
pub(crate) fn strip(module: &[u8]) -> Result<Vec<u8>> {
    /// No locals, `unreachable`, `end`; with its size.
    const BODY: [u8; 4] = [3, 0, 0x00, 0x0b];
    const CODE: u8 = 10;
    let invalid =
        |error: BinaryReaderError| Error::module(error.message(), error.offset() as usize);
    let mut out = module.get(..8).unwrap_or_default().to_vec();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.map_err(invalid)?;
        let contents = match &payload {
            Payload::CodeSectionStart { count, .. } => {
                let mut contents = Vec::new();
                leb(&mut contents, *count as usize);
                (0..*count).for_each(|_| contents.extend(BODY));
                Some((CODE, contents))
            }
            Payload::CustomSection(section) if section.name() != "name" => None,
            _ => payload.as_section().map(|(id, range)| {
                let range = range.start as usize..range.end as usize;
                (id, module[range].to_vec())
            }),
        };
        if let Some((id, contents)) = contents {
            out.push(id);
            leb(&mut out, contents.len());
            out.extend(contents);
        }
    }
    Ok(out)
}

/// Adds a number in the format of modules (specification, 5.2.2).
fn leb(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn flag(&mut self, flag: bool) {
        self.0.push(u8::from(flag));
    }

    fn length(&mut self, length: usize) {
        self.number(u32::try_from(length).expect("modules and code are below 4 GiB"));
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn list<T>(&mut self, items: &[T], mut item: impl FnMut(&mut Writer, &T)) {
        self.length(items.len());
        items.iter().for_each(|one| item(self, one));
    }

    /// A number, or none.
    fn option(&mut self, number: Option<u32>) {
        self.number(number.map_or(0, |number| number + 1));
    }

    fn scope(&mut self, scope: Scope) {
        self.option(scope.number().map(|number| number as u32));
    }

    fn function(&mut self, function: &Compiled) {
        self.bytes(&function.code);
        self.number(function.frame_bytes);
        self.number(function.prologue_bytes);
        self.list(&function.relocations, |out, relocation| {
            out.number(relocation.offset);
            out.number(relocation.called_type);
        });
        self.list(&function.sites, |out, site| {
            out.number(site.offset);
            out.number(site.trap.map_or(0, |code| code as u32));
            out.number(site.module_offset);
            out.scope(site.scope);
        });
        self.list(&function.catches, |out, range| {
            out.number(range.start);
            out.number(range.end);
            out.list(&range.clauses, |out, clause| {
                out.option(clause.tag);
                out.flag(clause.with_ref);
                out.number(clause.target);
                out.number(clause.payload_below_frame);
            });
        });
        self.list(&function.inlined, |out, call| {
            out.number(call.func);
            out.number(call.call_offset);
            out.flag(call.caller.is_some());
            out.scope(call.caller.unwrap_or(Scope::FUNCTION));
        });
    }
}

/// What is left to read; nothing where it ends too early.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        let bytes = self.take(4)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes))
    }

    fn flag(&mut self) -> Option<bool> {
        match self.take(1)? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    fn bytes(&mut self) -> Option<&'b [u8]> {
        let length = self.number()?;
        self.take(length as usize)
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Reader<'b>) -> Option<T>) -> Option<Vec<T>> {
        let count = self.number()?;
        (0..count).map(|_| item(self)).collect()
    }

    fn option(&mut self) -> Option<Option<u32>> {
        Some(self.number()?.checked_sub(1))
    }

    fn scope(&mut self) -> Option<Scope> {
        match self.option()? {
            Some(number) => Scope::inlined(number as usize),
            None => Some(Scope::FUNCTION),
        }
    }

    fn head(&mut self) -> Option<(Head, Vec<Place>)> {
        let head = Head {
            module: self.bytes()?.to_vec(),
            leaves_by_tail_call: self.flag()?,
            has_tail_calls: self.flag()?,
            called_types: self.list(Reader::number)?,
        };
        let functions = self.list(|input| {
            Some(Place {
                offset: input.number()?,
                length: input.number()?,
                checksum: input.number()?,
            })
        })?;
        self.0.is_empty().then_some((head, functions))
    }

    fn function(&mut self) -> Option<Compiled> {
        Some(Compiled {
            code: self.bytes()?.to_vec(),
            frame_bytes: self.number()?,
            prologue_bytes: self.number()?,
            relocations: self.list(|input| {
                Some(Relocation {
                    offset: input.number()?,
                    called_type: input.number()?,
                })
            })?,
            sites: self.list(Reader::site)?,
            catches: self.list(Reader::catch_range)?,
            inlined: self.list(Reader::inlined_call)?,
            operators: Vec::new(),
        })
    }

    fn site(&mut self) -> Option<Site> {
        Some(Site {
            offset: self.number()?,
            trap: match self.number()? {
                0 => None,
                number => Some(TrapCode::from_number(u8::try_from(number).ok()?)?),
            },
            module_offset: self.number()?,
            scope: self.scope()?,
        })
    }

    fn catch_range(&mut self) -> Option<CatchRange> {
        Some(CatchRange {
            start: self.number()?,
            end: self.number()?,
            clauses: self.list(|input| {
                Some(CatchClause {
                    tag: input.option()?,
                    with_ref: input.flag()?,
                    target: input.number()?,
                    payload_below_frame: input.number()?,
                })
            })?,
        })
    }

    fn inlined_call(&mut self) -> Option<InlinedCall> {
        let (func, call_offset) = (self.number()?, self.number()?);
        let (has_caller, scope) = (self.flag()?, self.scope()?);
        Some(InlinedCall {
            func,
            call_offset,
            caller: has_caller.then_some(scope),
        })
    }
}
