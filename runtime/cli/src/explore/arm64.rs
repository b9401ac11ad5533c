//! An instruction of ARM64 as text. The listings in the tests of the library read it with this file, too.

use yaxpeax_arch::{Decoder, U8Reader};
use yaxpeax_arm::armv8::a64::{InstDecoder, Operand};

/// The text of the instruction with these bytes, which lies at `at`; none if it is none. Targets are
/// addresses, which the disassembler writes as distances.
pub(crate) fn instruction(bytes: &[u8], at: i64) -> Option<String> {
    let mut reader = U8Reader::new(bytes);
    let instruction = InstDecoder::default().decode(&mut reader).ok()?;
    let text = instruction.to_string();
    let target = instruction.operands.iter().find_map(|operand| {
        let Operand::PCOffset(distance) = operand else {
            return None;
        };
        let before = text.strip_suffix(&operand.to_string())?;
        Some(format!("{before}{:#x}", at + distance))
    });
    Some(target.unwrap_or(text))
}
