//! What instructions do that are no single load, store or branch: written once, for handlers of the
//! interpreter and for helpers of machine code, which bring the operands and take the results.

pub(crate) mod atomic;
pub(crate) mod bulk;
pub(crate) mod numeric;
