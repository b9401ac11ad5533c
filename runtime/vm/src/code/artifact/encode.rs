//! How machine code with its side tables becomes bytes, and those become code again.
//!
//! Numbers are little-endian, of 4 bytes each but for long ones; lists begin with how many there are. Reading ends in nothing
//! where bytes end too early or mean nothing.

use zwasm_core::TrapCode;
use zwasm_jit::contract::{
    CatchClause, CatchRange, Compiled, InlinedCall, Relocation, Scope, Site,
};

/// Bytes so far.
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn number(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn long(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn flag(&mut self, flag: bool) {
        self.0.push(u8::from(flag));
    }

    fn length(&mut self, length: usize) {
        self.number(u32::try_from(length).expect("modules and code are below 4 GiB"));
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn list<T>(&mut self, items: &[T], mut item: impl FnMut(&mut Writer, &T)) {
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

    pub(super) fn function(&mut self, function: &Compiled) {
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
pub(super) struct Reader<'b>(pub(super) &'b [u8]);

impl<'b> Reader<'b> {
    pub(super) fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn number(&mut self) -> Option<u32> {
        let bytes = self.take(4)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes))
    }

    pub(super) fn long(&mut self) -> Option<u64> {
        let bytes = self.take(8)?.try_into().ok()?;
        Some(u64::from_le_bytes(bytes))
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        match self.take(1)? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    pub(super) fn bytes(&mut self) -> Option<&'b [u8]> {
        let length = self.number()?;
        self.take(length as usize)
    }

    pub(super) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Reader<'b>) -> Option<T>,
    ) -> Option<Vec<T>> {
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

    pub(super) fn function(&mut self) -> Option<Compiled> {
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
