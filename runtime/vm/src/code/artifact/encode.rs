//! How the side tables of machine code become bytes, and those become tables again.
//!
//! Numbers are little-endian, of 4 bytes each but for long and short ones; lists begin with how many there
//! are. Sites are most of the tables: each is written as what it differs by from the one before, in numbers
//! of as few bytes as they need (LEB128). Reading ends in nothing where bytes end too early or mean nothing.

use super::Tables;
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

    /// In as few bytes as it needs.
    fn short(&mut self, mut number: u32) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
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
        self.number(scope_number(scope));
    }

    /// All but its code: first what is needed to run it.
    pub(super) fn tables(&mut self, function: &Compiled) {
        self.number(function.frame_bytes);
        self.number(function.prologue_bytes);
        self.list(&function.relocations, |out, relocation| {
            out.number(relocation.offset);
            out.number(relocation.called_type);
        });
        let mut before = 0;
        self.list(&function.counted, |out, &place| {
            out.short(place.wrapping_sub(before));
            before = place;
        });
        let mut before = (0, 0);
        self.list(&function.sites, |out, site| {
            out.short(site.offset.wrapping_sub(before.0));
            out.short(site.trap.map_or(0, |code| code as u32));
            out.short(zigzag(site.module_offset.wrapping_sub(before.1)));
            out.short(scope_number(site.scope));
            before = (site.offset, site.module_offset);
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

/// What stands for a scope: 0 for the function's own.
fn scope_number(scope: Scope) -> u32 {
    scope.number().map_or(0, |number| number as u32 + 1)
}

fn scope(number: u32) -> Option<Scope> {
    match number.checked_sub(1) {
        Some(number) => Scope::inlined(number as usize),
        None => Some(Scope::FUNCTION),
    }
}

/// Differences in both directions as small numbers.
fn zigzag(difference: u32) -> u32 {
    (difference << 1) ^ ((difference as i32 >> 31) as u32)
}

fn unzigzag(number: u32) -> u32 {
    (number >> 1) ^ (number & 1).wrapping_neg()
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
        let count = self.number()? as usize;
        // A number that is wrong must not make us take memory: each has a byte at least.
        let mut items = Vec::with_capacity(count.min(self.0.len()));
        for _ in 0..count {
            items.push(item(self)?);
        }
        Some(items)
    }

    fn option(&mut self) -> Option<Option<u32>> {
        Some(self.number()?.checked_sub(1))
    }

    fn scope(&mut self) -> Option<Scope> {
        scope(self.number()?)
    }

    /// Of a function what is needed to run it, but for its code. [`Reader::tables`] follows.
    pub(super) fn function(&mut self) -> Option<Compiled> {
        Some(Compiled {
            frame_bytes: self.number()?,
            prologue_bytes: self.number()?,
            relocations: self.list(|input| {
                Some(Relocation {
                    offset: input.number()?,
                    called_type: input.number()?,
                })
            })?,
            counted: self.counted()?,
            ..Compiled::default()
        })
    }

    /// What is needed where a call of the function is interrupted.
    pub(super) fn tables(&mut self) -> Option<Tables> {
        Some(Tables {
            sites: self.sites()?,
            catches: self.list(Reader::catch_range)?,
            inlined: self.list(Reader::inlined_call)?,
        })
    }

    /// A number in as few bytes as it needs.
    #[inline]
    fn short(&mut self) -> Option<u32> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        if first < 0x80 {
            return Some(u32::from(first));
        }
        let mut number = u32::from(first & 0x7f);
        for shift in [7, 14, 21, 28] {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn sites(&mut self) -> Option<Vec<Site>> {
        let mut before = (0_u32, 0_u32);
        self.list(|input| {
            let offset = before.0.wrapping_add(input.short()?);
            let trap = match input.short()? {
                0 => None,
                number => Some(TrapCode::from_number(u8::try_from(number).ok()?)?),
            };
            let module_offset = before.1.wrapping_add(unzigzag(input.short()?));
            let scope = scope(input.short()?)?;
            before = (offset, module_offset);
            Some(Site {
                offset,
                trap,
                module_offset,
                scope,
            })
        })
    }

    fn counted(&mut self) -> Option<Vec<u32>> {
        let mut before = 0_u32;
        self.list(|input| {
            before = before.wrapping_add(input.short()?);
            Some(before)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_what_they_were() {
        let site = |offset, trap, module_offset, scope: Option<usize>| Site {
            offset,
            trap,
            module_offset,
            scope: scope.map_or(Scope::FUNCTION, |number| Scope::inlined(number).unwrap()),
        };
        let trap = Some(TrapCode::ALL[3]);
        let sites = vec![
            site(0, None, 7, None),
            site(0, trap, u32::MAX, Some(0)),
            site(127, trap, 0, Some(60_000)),
            site(1 << 25, None, 1 << 31, None),
            site(u32::MAX, trap, (1 << 31) - 1, Some(1)),
        ];
        let code = Compiled {
            sites: sites.clone(),
            frame_bytes: 9,
            counted: vec![0, 7, 7, 1 << 31],
            ..Compiled::default()
        };
        let mut out = Writer(Vec::new());
        out.tables(&code);
        let read = |bytes: &[u8]| {
            let mut input = Reader(bytes);
            let function = input.function()?;
            let tables = input.tables().filter(|_| input.0.is_empty())?;
            Some((tables.sites, function.frame_bytes, function.counted))
        };
        assert_eq!(read(&out.0), Some((sites, 9, code.counted)));
        (0..out.0.len()).for_each(|end| assert!(read(&out.0[..end]).is_none()));
        for number in [0, 1, 0x7f, 0x80, 1 << 31, u32::MAX] {
            assert_eq!(unzigzag(zigzag(number)), number);
            let mut out = Writer(Vec::new());
            out.short(number);
            assert_eq!(Reader(&out.0).short(), Some(number));
        }
    }
}
