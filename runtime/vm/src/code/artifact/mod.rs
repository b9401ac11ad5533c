//! Machine code of a module as bytes, for files.
//!
//! | part | what |
//! |---|---|
//! | [`MAGIC`] | tells it from modules |
//! | format | a number of this layout, 4 bytes |
//! | head | its length, its checksum, and then: what the code was made for, as text ([`Setting`]); whose code it is ([`Whose`]), and where the module's names and images of data are; what validation found in the bodies ([`Facts`]); and of each function the lengths of its code and of its side tables, and their checksum |
//! | images | pages of memories ([`Run`]), at a multiple of the page size, if the code is not beside its module |
//! | functions | of each function that has some the code, and its side tables behind it ([`encode`]) |
//! | pieces | the module without bodies and data in images, if the code is not beside it; the contents of its section of names |
//!
//! Code may be there for some functions only, if the module is somewhere else with its bodies: a compiler
//! makes the others'. Numbers are little-endian, checksums CRC-32. They are against accidents: who can write
//! the file can have anything executed, which is why reading one is unsafe. The head is checked when the
//! module is loaded, a function or piece when it is needed first, so that what is never needed costs nothing;
//! side tables are read when a call is interrupted. Images have no checksum: they are mapped, so that pages that
//! nobody touches are never read.
//!
//! Code is read and copied, not mapped. Of a mapping the system makes at least sixteen pages resident where one is
//! touched, which for code all over a large module is more memory than the code has: Yosys prints its version
//! with 15 MB that way, with 54 where code ran in the mapped file, for a tenth of the time.

mod encode;

use crate::error::{Error, Result};
use crate::module::Run;
use crate::sys::mmap::page_size;
use core::fmt;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};
use encode::{Reader, Writer};
use std::fs::File;
use std::io::{self, Cursor, ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use zwasm_core::module::ModuleInfo;
use zwasm_jit::contract::{CatchRange, Compiled, InlinedCall, Relocation, Scope, Site};

/// The first bytes: those of a module but for some letters.
pub(crate) const MAGIC: &[u8; 8] = b"\0zwcode\n";

/// The number of the layout above.
const FORMAT: u32 = 4;

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

    /// With more parts.
    pub(crate) fn and(&self, parts: &[(&str, &dyn fmt::Display)]) -> Setting {
        Setting(format!("{}, {}", self.0, Setting::of(parts).0))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
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

/// What validation found in the bodies of a module, as far as its instances depend on it.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// Whether a function may leave the instance by a tail call.
    pub(crate) leaves_by_tail_call: bool,
    /// Whether a function has a tail call.
    pub(crate) has_tail_calls: bool,
    /// The types that indirect calls name.
    pub(crate) called_types: Vec<u32>,
}

impl Facts {
    pub(crate) fn of(info: &ModuleInfo) -> Facts {
        Facts {
            leaves_by_tail_call: info.leaves_by_tail_call,
            has_tail_calls: info.has_tail_calls,
            called_types: info.called_types.clone(),
        }
    }
}

/// A number of bytes that nobody finds other bytes for (BLAKE3).
pub(crate) type Digest = [u8; 32];

/// Whose code it is.
#[derive(Debug)]
pub(crate) enum Whose<B> {
    /// The module's that is among the pieces, without bodies and names.
    Within(B),
    /// A module's that is somewhere else: of its bytes up to the end of its bodies.
    Beside(Digest),
}

/// Where a piece is.
#[derive(Clone, Copy, Default, Debug)]
struct Place {
    /// From where the functions begin, in bytes.
    offset: u32,
    /// Zero if there is none.
    length: u32,
    checksum: u32,
}

impl Place {
    fn end(self) -> u64 {
        u64::from(self.offset) + u64::from(self.length)
    }
}

/// What machine code has beside it for when a call is interrupted, as in [`Compiled`].
#[derive(Default, Debug)]
pub(crate) struct Tables {
    pub(crate) sites: Vec<Site>,
    pub(crate) catches: Vec<CatchRange>,
    pub(crate) inlined: Vec<InlinedCall>,
}

/// Where a function is.
#[derive(Clone, Copy, Default, Debug)]
struct Function {
    /// Of code, and side tables behind it.
    place: Place,
    /// Zero if there is none.
    code_length: u32,
}

/// The bytes of a precompiled module.
#[derive(Debug)]
pub(crate) enum Source {
    Memory(Vec<u8>),
    /// With its length.
    File(File, u64),
}

impl Source {
    /// An open file.
    ///
    /// # Errors
    /// When nothing is known of it.
    pub(crate) fn file(file: File) -> io::Result<Source> {
        let length = file.metadata()?.len();
        Ok(Source::File(file, length))
    }

    /// Makes the buffer the bytes in a range; an error where there are fewer.
    fn read(&self, range: Range<u64>, buffer: &mut Vec<u8>) -> Result<()> {
        // A length that is wrong must not make us take memory.
        if range.end > self.length() {
            return Err(refused("it is cut off"));
        }
        let (start, length) = (range.start, (range.end - range.start) as usize);
        buffer.clear();
        let reserved = buffer.try_reserve_exact(length);
        reserved.map_err(|_| Error::resource("the host has no memory for machine code"))?;
        match self {
            Source::Memory(bytes) => buffer.extend_from_slice(&bytes[start as usize..][..length]),
            Source::File(file, _) => {
                buffer.resize(length, 0);
                let read = file.read_exact_at(buffer, start);
                read.map_err(|error| refused(&error.to_string()))?;
            }
        }
        Ok(())
    }

    /// How many there are.
    fn length(&self) -> u64 {
        match self {
            Source::Memory(bytes) => bytes.len() as u64,
            Source::File(_, length) => *length,
        }
    }
}

/// Machine code of a module that waits to be called.
#[derive(Debug)]
pub(crate) struct Kept {
    source: Source,
    /// Where the images are.
    images: Range<u64>,
    /// Where the functions begin.
    start: u64,
    /// The contents of the module's section of names, if it is among the pieces.
    names: Place,
    /// By the index among the functions with a body.
    functions: Vec<Function>,
    /// How many types indirect calls name.
    called_types: usize,
    /// Of the last function, for the next one.
    buffer: Mutex<Vec<u8>>,
    /// Whether something was not what was written.
    is_altered: AtomicBool,
}

/// What is known of a module before its functions are called.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) whose: Whose<Vec<u8>>,
    /// Pages of the module's memories, if it is among the pieces; places count from [`Kept::images`] on.
    pub(crate) runs: Vec<Run>,
    pub(crate) facts: Facts,
    pub(crate) kept: Kept,
}

/// The head of a file, read.
struct Head {
    whose: Whose<Place>,
    names: Place,
    runs: Vec<Run>,
    facts: Facts,
    functions: Vec<Function>,
}

impl Kept {
    /// Reads all but code and names of what [`write`] wrote.
    ///
    /// # Errors
    /// One line that says what is wrong: it is no such file, or one of another version or setting, or
    /// not what was written.
    pub(crate) fn open(source: Source, setting: &Setting) -> Result<Opened> {
        let cut = || refused("it is cut off");
        let mut buffer = Vec::new();
        source.read(0..BEGINNING_BYTES as u64, &mut buffer)?;
        let mut input = Reader(&buffer);
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
        let head_end = BEGINNING_BYTES as u64 + u64::from(length);
        source.read(BEGINNING_BYTES as u64..head_end, &mut buffer)?;
        if crc32fast::hash(&buffer) != checksum {
            return Err(refused("it is altered"));
        }
        let mut input = Reader(&buffer);
        let theirs = String::from_utf8_lossy(input.bytes().ok_or_else(cut)?).into_owned();
        if theirs != setting.0 {
            return Err(refused(&setting.difference(&theirs)));
        }
        let Head {
            whose,
            names,
            runs,
            facts,
            functions,
        } = Head::read(input).ok_or_else(cut)?;
        let module = match whose {
            Whose::Within(module) => module,
            Whose::Beside(_) => Place::default(),
        };
        let images = images(head_end, &runs).ok_or_else(cut)?;
        let start = images.end;
        let functions_end = functions.iter().map(|function| function.place.end()).max();
        let pieces = [module, names].map(Place::end);
        let end = pieces.into_iter().chain(functions_end).max();
        let end = start.checked_add(end.unwrap_or_default());
        if end != Some(source.length()) {
            return Err(cut());
        }
        drop(buffer);
        let kept = Kept {
            source,
            images,
            start,
            names,
            called_types: facts.called_types.len(),
            functions,
            buffer: Mutex::default(),
            is_altered: AtomicBool::new(false),
        };
        let whose = match whose {
            Whose::Within(module) => Whose::Within(kept.piece(module, "its module", Vec::new())?),
            Whose::Beside(digest) => Whose::Beside(digest),
        };
        Ok(Opened {
            whose,
            runs,
            facts,
            kept,
        })
    }

    /// The bytes, and where among them the images are.
    pub(crate) fn images(&self) -> (&Source, Range<u64>) {
        (&self.source, self.images.clone())
    }

    /// How many functions there are, with code or without.
    pub(crate) fn count(&self) -> usize {
        self.functions.len()
    }

    /// Whether there is code of a function.
    pub(crate) fn has(&self, defined: u32) -> bool {
        self.functions[defined as usize].code_length > 0
    }

    /// How many bytes all code and side tables have.
    pub(crate) fn code_bytes(&self) -> u64 {
        let lengths = self.functions.iter();
        lengths.map(|it| u64::from(it.place.length)).sum()
    }

    /// Whether something that was looked at was not what was written.
    pub(crate) fn is_altered(&self) -> bool {
        self.is_altered.load(Ordering::Relaxed)
    }

    /// All bytes, code of functions unchecked.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn all(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.source.read(0..self.source.length(), &mut bytes)?;
        Ok(bytes)
    }

    /// A piece as it was written, in a buffer.
    fn piece(&self, place: Place, what: impl fmt::Display, mut buffer: Vec<u8>) -> Result<Vec<u8>> {
        let range = self.start + u64::from(place.offset)..self.start + place.end();
        self.source.read(range, &mut buffer)?;
        if crc32fast::hash(&buffer) != place.checksum {
            return Err(self.altered(what));
        }
        Ok(buffer)
    }

    fn altered(&self, what: impl fmt::Display) -> Error {
        self.is_altered.store(true, Ordering::Relaxed);
        refused(&format!("{what} is altered"))
    }

    /// The contents of the module's section of names; nothing where they are not what was written.
    pub(crate) fn names(&self) -> Vec<u8> {
        let names = self.piece(self.names, "its section of names", Vec::new());
        names.unwrap_or_default()
    }

    /// Adds the code of a function, if it has some, as [`encode`] does.
    pub(crate) fn copy(&self, defined: u32, out: &mut Vec<u8>) -> usize {
        if !self.has(defined) {
            return 0;
        }
        let function = self.functions[defined as usize];
        match self.piece(function.place, "a function", Vec::new()) {
            Ok(bytes) => {
                out.extend_from_slice(&bytes);
                function.code_length as usize
            }
            Err(_) => 0,
        }
    }

    /// The code of a function that has some, and what is needed to run it. The buffer is better given back
    /// ([`Kept::give_back`]).
    ///
    /// # Errors
    /// When it is not what was written.
    pub(crate) fn function(&self, defined: u32) -> Result<KeptFunction> {
        let function = self.functions[defined as usize];
        let what = format_args!("its function {defined}");
        // Another thread may have it.
        let buffer = self.buffer.try_lock();
        let buffer = buffer.map_or_else(|_| Vec::new(), |mut buffer| core::mem::take(&mut buffer));
        let bytes = self.piece(function.place, what, buffer)?;
        let code_length = function.code_length as usize;
        let facts = bytes.split_at_checked(code_length).and_then(|(_, rest)| {
            let function = Reader(rest).function()?;
            let fits = |relocation: &Relocation| {
                (relocation.called_type as usize) < self.called_types
                    && (relocation.offset as usize).saturating_add(4) <= code_length
            };
            let fit = function.relocations.iter().all(fits);
            fit.then_some(function)
        });
        Ok(KeptFunction {
            facts: facts.ok_or_else(|| self.altered(what))?,
            bytes,
            code_length,
        })
    }

    /// For the next function.
    pub(crate) fn give_back(&self, function: KeptFunction) {
        if let Ok(mut buffer) = self.buffer.try_lock() {
            *buffer = function.bytes;
        }
    }

    /// What else a function has.
    pub(crate) fn tables(&self, defined: u32) -> Option<Tables> {
        self.function(defined).ok()?.tables()
    }

    /// A function as its compiler left it, if it is what was written.
    pub(crate) fn compiled(&self, defined: u32) -> Option<Compiled> {
        let function = self.function(defined).ok()?;
        let Tables {
            sites,
            catches,
            inlined,
        } = function.tables()?;
        let mut code = function.bytes;
        code.truncate(function.code_length);
        Some(Compiled {
            code,
            sites,
            catches,
            inlined,
            ..function.facts
        })
    }
}

/// A function that was kept.
#[derive(Debug)]
pub(crate) struct KeptFunction {
    /// What is needed to run it, but for its code.
    pub(crate) facts: Compiled,
    /// Code, and what is behind it.
    bytes: Vec<u8>,
    code_length: usize,
}

impl KeptFunction {
    pub(crate) fn code(&self) -> &[u8] {
        &self.bytes[..self.code_length]
    }

    pub(crate) fn code_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.code_length]
    }

    /// Side tables, if they make sense.
    fn tables(&self) -> Option<Tables> {
        let mut input = Reader(&self.bytes[self.code_length..]);
        input.function()?;
        let tables = input.tables().filter(|_| input.0.is_empty())?;
        let inlined = tables.inlined.len();
        let is_known = |scope: Scope| scope.number().is_none_or(|number| number < inlined);
        let callers = tables.inlined.iter().filter_map(|call| call.caller);
        let sites = tables.sites.iter().map(|site| site.scope);
        sites.chain(callers).all(is_known).then_some(tables)
    }
}

/// Where images are behind a head; none if their places are not one behind the other.
fn images(head_end: u64, runs: &[Run]) -> Option<Range<u64>> {
    if runs.is_empty() {
        return Some(head_end..head_end);
    }
    let mut length = 0_u64;
    for run in runs {
        if run.file_offset != length {
            return None;
        }
        length = length.checked_add(run.length_bytes as u64)?;
    }
    let start = head_end.next_multiple_of(page_size() as u64);
    Some(start..start.checked_add(length)?)
}

fn refused(why: &str) -> Error {
    Error::usage(format!("this precompiled module cannot run: {why}"))
}

impl Head {
    fn read(mut input: Reader<'_>) -> Option<Head> {
        let whose = if input.flag()? {
            let digest = input.take(size_of::<Digest>())?;
            Whose::Beside(digest.try_into().ok()?)
        } else {
            Whose::Within(Place::read(&mut input)?)
        };
        let names = Place::read(&mut input)?;
        let runs = input.list(|input| {
            Some(Run {
                memory: input.number()?,
                memory_offset: usize::try_from(input.long()?).ok()?,
                length_bytes: usize::try_from(input.long()?).ok()?,
                file_offset: input.long()?,
            })
        })?;
        let facts = Facts {
            leaves_by_tail_call: input.flag()?,
            has_tail_calls: input.flag()?,
            called_types: input.list(Reader::number)?,
        };
        let mut end = 0;
        let functions = input.list(|input| Function::read(input, &mut end))?;
        input.0.is_empty().then_some(Head {
            whose,
            names,
            runs,
            facts,
            functions,
        })
    }

    fn write(&self, setting: &Setting) -> Vec<u8> {
        let mut out = Writer(Vec::new());
        out.bytes(setting.as_bytes());
        out.flag(matches!(self.whose, Whose::Beside(_)));
        match &self.whose {
            Whose::Beside(digest) => out.0.extend_from_slice(digest),
            Whose::Within(module) => module.write(&mut out),
        }
        self.names.write(&mut out);
        out.list(&self.runs, |out, run| {
            out.number(run.memory);
            out.long(run.memory_offset as u64);
            out.long(run.length_bytes as u64);
            out.long(run.file_offset);
        });
        out.flag(self.facts.leaves_by_tail_call);
        out.flag(self.facts.has_tail_calls);
        out.list(&self.facts.called_types, |out, &ty| out.number(ty));
        out.list(&self.functions, |out, function| function.write(out));
        out.0
    }
}

impl Place {
    fn read(input: &mut Reader<'_>) -> Option<Place> {
        Some(Place {
            offset: input.number()?,
            length: input.number()?,
            checksum: input.number()?,
        })
    }

    fn write(&self, out: &mut Writer) {
        out.number(self.offset);
        out.number(self.length);
        out.number(self.checksum);
    }
}

impl Function {
    /// `end` is that of the function before.
    fn read(input: &mut Reader<'_>, end: &mut u64) -> Option<Function> {
        let (code_length, tables_length) = (input.number()?, input.number()?);
        let place = Place {
            offset: u32::try_from(*end).ok()?,
            length: code_length.checked_add(tables_length)?,
            checksum: input.number()?,
        };
        *end = place.end();
        Some(Function { place, code_length })
    }

    fn write(&self, out: &mut Writer) {
        out.number(self.code_length);
        out.number(self.place.length - self.code_length);
        out.number(self.place.checksum);
    }
}

/// Adds code with its side tables in the form in which they are kept; answers how much of it is code.
pub(crate) fn encode(code: &Compiled, out: &mut Vec<u8>) -> usize {
    let mut writer = Writer(core::mem::take(out));
    writer.0.extend_from_slice(&code.code);
    writer.tables(code);
    *out = writer.0;
    code.code.len()
}

/// What [`write`] is to write, but for code.
pub(crate) struct Plan<'a> {
    pub(crate) setting: &'a Setting,
    pub(crate) whose: Whose<&'a [u8]>,
    /// The contents of the module's section of names, unless the module is somewhere else.
    pub(crate) names: &'a [u8],
    /// Images of its data, with their pages one behind the other, unless it is somewhere else.
    pub(crate) images: (&'a [Run], &'a [u8]),
    pub(crate) facts: Facts,
    /// How many have a body.
    pub(crate) functions: u32,
}

/// Writes code of a module. `code` adds that of a function to a buffer, as [`encode`] does, or nothing.
///
/// # Errors
/// Those of `out`; and [`ErrorKind::FileTooLarge`] before there are more than `most_bytes`, or more than
/// the format has numbers for.
pub(crate) fn write(
    out: &mut (impl Write + Seek),
    plan: Plan<'_>,
    most_bytes: u64,
    mut code: impl FnMut(u32, &mut Vec<u8>) -> usize,
) -> io::Result<()> {
    let mut head = Head {
        whose: match plan.whose {
            Whose::Within(_) => Whose::Within(Place::default()),
            Whose::Beside(digest) => Whose::Beside(digest),
        },
        names: Place::default(),
        runs: plan.images.0.to_vec(),
        facts: plan.facts,
        functions: vec![Function::default(); plan.functions as usize],
    };
    // Its length is known before the numbers in it are.
    let head_end = (BEGINNING_BYTES + head.write(plan.setting).len()) as u64;
    let images = images(head_end, plan.images.0).expect("as many as there are bytes");
    out.seek(SeekFrom::Start(images.start))?;
    out.write_all(plan.images.1)?;
    let start = images.end;
    let mut end = 0_u64;
    let mut add = |bytes: &[u8]| {
        let too_large = || io::Error::from(ErrorKind::FileTooLarge);
        let place = Place {
            offset: u32::try_from(end).map_err(|_| too_large())?,
            length: u32::try_from(bytes.len()).map_err(|_| too_large())?,
            checksum: crc32fast::hash(bytes),
        };
        end = place.end();
        if start + end > most_bytes {
            return Err(too_large());
        }
        out.write_all(bytes)?;
        Ok(place)
    };
    let mut bytes = Vec::new();
    for (defined, function) in (0..).zip(&mut head.functions) {
        bytes.clear();
        let code_length = code(defined, &mut bytes) as u32;
        if code_length > 0 {
            let place = add(&bytes)?;
            *function = Function { place, code_length };
        }
    }
    if let Whose::Within(module) = plan.whose {
        head.whose = Whose::Within(add(module)?);
        head.names = add(plan.names)?;
    }
    let head = head.write(plan.setting);
    let mut beginning = Writer(MAGIC.to_vec());
    beginning.number(FORMAT);
    beginning.number(head.len() as u32);
    beginning.number(crc32fast::hash(&head));
    out.seek(SeekFrom::Start(0))?;
    out.write_all(&beginning.0)?;
    out.write_all(&head)
}

/// As [`write`], of all functions, into memory.
///
/// # Errors
/// When there are more bytes than the format has numbers for.
pub(crate) fn to_vec(plan: Plan<'_>, functions: &[Compiled]) -> Result<Vec<u8>> {
    let mut out = Cursor::new(Vec::new());
    let written = write(&mut out, plan, u64::MAX, |at, out| {
        encode(&functions[at as usize], out)
    });
    written.map_err(|_| Error::resource("the machine code has more than 4 GiB"))?;
    Ok(out.into_inner())
}
