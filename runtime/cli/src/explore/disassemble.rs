//! Machine code as text.

use super::arm64;
use core::ops::Range;
use iced_x86::{Decoder, DecoderOptions, Formatter, Instruction, IntelFormatter};
use zwasm::Isa;

/// The instructions of a range of code, as "bytes in hexadecimal, two spaces, text". Addresses in
/// them count from the start of the code.
pub(super) fn listing(isa: Isa, code: &[u8], range: Range<usize>) -> Vec<String> {
    match isa {
        Isa::X86_64 => x86_64(&code[range.clone()], range.start),
        Isa::Aarch64 => aarch64(&code[range.clone()], range.start),
        _ => vec![line(&code[range], "(no disassembler)")],
    }
}

fn line(bytes: &[u8], text: &str) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{hex}  {text}")
}

fn x86_64(code: &[u8], start: usize) -> Vec<String> {
    let mut decoder = Decoder::with_ip(64, code, start as u64, DecoderOptions::NONE);
    let mut formatter = IntelFormatter::new();
    let options = formatter.options_mut();
    options.set_space_after_operand_separator(true);
    options.set_branch_leading_zeros(false);
    let mut instruction = Instruction::default();
    let mut lines = Vec::new();
    let mut at = 0;
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        let mut text = String::new();
        formatter.format(&instruction, &mut text);
        lines.push(line(&code[at..decoder.position()], &text));
        at = decoder.position();
    }
    lines
}

fn aarch64(code: &[u8], start: usize) -> Vec<String> {
    let word = |(i, bytes): (usize, &[u8])| {
        if bytes.len() != 4 {
            return line(bytes, "(part of a word)");
        }
        let at = (start + 4 * i) as i64;
        let text = arm64::instruction(bytes, at);
        line(bytes, text.as_deref().unwrap_or(".word"))
    };
    code.chunks(4).enumerate().map(word).collect()
}
