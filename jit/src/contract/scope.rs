//! Whose operator a piece of code belongs to, when callees' code stands in place of calls.

use core::num::NonZeroU16;

/// The body that an operator is in: the function's own, or that of a callee in place of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(Option<NonZeroU16>);

impl Scope {
    /// The function's own body.
    pub const FUNCTION: Scope = Scope(None);

    /// The body in place of the call with this number in [`Compiled::inlined`], if it has so many.
    ///
    /// [`Compiled::inlined`]: super::Compiled::inlined
    #[must_use]
    pub fn inlined(number: usize) -> Option<Scope> {
        let number = u16::try_from(number).ok()?.checked_add(1)?;
        Some(Scope(NonZeroU16::new(number)))
    }

    /// The number of the call that the body stands in place of; none of the function's own.
    #[must_use]
    pub fn number(self) -> Option<usize> {
        self.0.map(|number| usize::from(number.get()) - 1)
    }
}

/// A call that the code of its callee replaces. Backtraces have a frame for it nevertheless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InlinedCall {
    /// The callee, by its index in the module.
    pub func: u32,
    /// Offset of the call in the module, in bytes; the function's own operator that led there, where
    /// there is no caller.
    pub call_offset: u32,
    /// Whose call it is: an outer scope, which comes earlier. None where the function itself was
    /// left by a tail call.
    pub caller: Option<Scope>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_have_numbers_as_far_as_they_go() {
        assert_eq!(Scope::FUNCTION.number(), None);
        for number in [0, 1, 65_534] {
            let scope = Scope::inlined(number).expect("in reach");
            assert_eq!(scope.number(), Some(number));
        }
        assert_eq!(Scope::inlined(65_535), None);
    }

    #[test]
    fn a_site_is_small() {
        // There is one per call and access.
        assert_eq!(size_of::<crate::contract::Site>(), 12);
    }
}
