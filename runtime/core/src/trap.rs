//! Why a guest stopped: the codes that every tier reports for a trap.

/// The reason of a trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrapCode {
    /// An integer was divided by zero.
    IntegerDivisionByZero,
    /// The result of an integer operation or conversion does not fit its type.
    IntegerOverflow,
    /// A NaN was converted to an integer.
    BadConversionToInteger,
}
