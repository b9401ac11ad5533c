//! Trap codes: one list from which the enum, the texts and the numbering all come.

/// Declares [`TrapCode`] from rows of `Variant = number, "text", "documentation"`.
macro_rules! trap_codes {
    ($($name:ident = $number:literal, $text:literal, $doc:literal;)*) => {
        /// Why a guest was stopped.
        ///
        /// The numbers are part of the machine contract: compiled code and side tables carry them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum TrapCode {
            $(#[doc = $doc] $name = $number,)*
        }

        impl TrapCode {
            /// Every trap code, in numeric order.
            pub const ALL: &'static [TrapCode] = &[$(TrapCode::$name,)*];

            /// The trap with this number, if there is one.
            #[must_use]
            pub const fn from_number(number: u8) -> Option<TrapCode> {
                match number {
                    $($number => Some(TrapCode::$name),)*
                    _ => None,
                }
            }

            /// The text of the specification's test suite for this trap.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(TrapCode::$name => $text,)*
                }
            }
        }
    };
}

trap_codes! {
    Unreachable = 1, "unreachable", "`unreachable` was executed.";
    IntegerDivisionByZero = 2, "integer divide by zero", "Division or remainder by zero.";
    IntegerOverflow = 3, "integer overflow", "The result does not fit: `INT_MIN / -1`, or a float too large to truncate.";
    BadConversionToInteger = 4, "invalid conversion to integer", "NaN was truncated to an integer.";
    MemoryOutOfBounds = 5, "out of bounds memory access", "An access past the end of a linear memory.";
    TableOutOfBounds = 6, "out of bounds table access", "An access past the end of a table.";
    UndefinedElement = 7, "undefined element", "`call_indirect` past the end of the table.";
    UninitializedElement = 8, "uninitialized element", "`call_indirect` through a null element.";
    IndirectCallTypeMismatch = 9, "indirect call type mismatch", "`call_indirect` to a function of another type.";
    StackOverflow = 10, "call stack exhausted", "The configured stack is used up.";
    NullFunctionReference = 11, "null function reference", "`call_ref` through null.";
    NullReference = 12, "null reference", "`ref.as_non_null` of null.";
    NullExceptionReference = 13, "null exception reference", "`throw_ref` of null.";
    OutOfFuel = 14, "all fuel consumed", "The fuel given to the store is used up.";
    Interrupted = 15, "interrupted", "Another thread asked the guest to stop.";
    ResourceLimit = 16, "resource limit exceeded", "The store's limits refuse what the guest needs to go on: room for an exception.";
    UnalignedAtomic = 17, "unaligned atomic", "An atomic access at an address that is no multiple of its size.";
    ExpectedSharedMemory = 18, "expected shared memory", "A wait on a memory that is not shared.";
}

impl core::fmt::Display for TrapCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::TrapCode;

    #[test]
    fn numbers_round_trip_and_zero_is_free() {
        for &code in TrapCode::ALL {
            assert_eq!(TrapCode::from_number(code as u8), Some(code));
        }
        assert_eq!(TrapCode::from_number(0), None, "0 means: no trap");
    }
}
