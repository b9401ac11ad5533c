//! Machine code of a whole module as bytes, for files.
//!
//! | part | what |
//! |---|---|
//! | [`MAGIC`] | tells it from modules |
//! | format | a number of this layout, 4 bytes |
//! | checksum | CRC-32 of all that follows, 4 bytes |
//! | setting | what the code was made for, as text with its length: [`Setting`] |
//! | module | its bytes with their length, and what validation found |
//! | functions | their number, then each one's code with its side tables |
//!
//! Numbers are little-endian. The checksum is against accidents: who can write the file can have anything
//! executed, which is why reading one is unsafe.

use crate::error::{Error, Result};
use core::fmt;
use zwasm_core::TrapCode;
use zwasm_jit::contract::{CatchClause, CatchRange, Compiled, InlinedCall, Scope, Site};

/// The first bytes: those of a module but for the first letter.
pub(crate) const MAGIC: &[u8; 8] = b"\0zwcode\n";

/// The number of the layout above.
const FORMAT: u32 = 1;

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

/// A module with its machine code.
pub(crate) struct Artifact {
    /// In binary form.
    pub(crate) module: Vec<u8>,
    /// Whether a function may leave the instance by a tail call.
    pub(crate) leaves_by_tail_call: bool,
    /// Whether a function has a tail call.
    pub(crate) has_tail_calls: bool,
    /// The types that indirect calls name.
    pub(crate) called_types: Vec<u32>,
    /// By the index among the functions with a body.
    pub(crate) functions: Vec<Compiled>,
}

impl Artifact {
    pub(crate) fn write(&self, setting: &Setting) -> Vec<u8> {
        let mut out = Writer(Vec::new());
        out.0.extend_from_slice(MAGIC);
        out.number(FORMAT);
        // The checksum's place.
        out.number(0);
        let start = out.0.len();
        out.bytes(setting.0.as_bytes());
        out.bytes(&self.module);
        out.flag(self.leaves_by_tail_call);
        out.flag(self.has_tail_calls);
        out.list(&self.called_types, |out, &ty| out.number(ty));
        out.list(&self.functions, Writer::function);
        let checksum = crc32fast::hash(&out.0[start..]);
        out.0[start - 4..start].copy_from_slice(&checksum.to_le_bytes());
        out.0
    }

    /// Reads what [`Artifact::write`] wrote.
    ///
    /// # Errors
    /// One line that says what is wrong: it is no such file, or one of another version or setting, or
    /// not what was written.
    pub(crate) fn read(bytes: &[u8], setting: &Setting) -> Result<Artifact> {
        let refused =
            |why: &str| Error::usage(format!("this precompiled module cannot run: {why}"));
        let cut = || refused("it is cut off");
        let mut input = Reader(bytes);
        if input.take(MAGIC.len()) != Some(MAGIC) {
            return Err(refused("it is none"));
        }
        let format = input.number().ok_or_else(cut)?;
        if format != FORMAT {
            return Err(refused("its format is that of another version"));
        }
        let checksum = input.number().ok_or_else(cut)?;
        if crc32fast::hash(input.0) != checksum {
            return Err(refused("it is cut off or altered"));
        }
        let theirs = input.bytes().ok_or_else(cut)?;
        let theirs = String::from_utf8_lossy(theirs);
        if theirs != setting.0 {
            return Err(refused(&setting.difference(&theirs)));
        }
        input.artifact().ok_or_else(cut)
    }
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

    fn artifact(&mut self) -> Option<Artifact> {
        let artifact = Artifact {
            module: self.bytes()?.to_vec(),
            leaves_by_tail_call: self.flag()?,
            has_tail_calls: self.flag()?,
            called_types: self.list(Reader::number)?,
            functions: self.list(Reader::function)?,
        };
        self.0.is_empty().then_some(artifact)
    }

    fn function(&mut self) -> Option<Compiled> {
        Some(Compiled {
            code: self.bytes()?.to_vec(),
            frame_bytes: self.number()?,
            prologue_bytes: self.number()?,
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
