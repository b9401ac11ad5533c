//! x86-64 machine code as instructions with what they do.

use super::profile::Region;
use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Formatter, Instruction, InstructionInfoFactory,
    IntelFormatter, Mnemonic, OpAccess, OpKind, Register, SymbolResolver, SymbolResult,
};
use zwasm_reports::code::{Kind, Line};

/// Disassembles the code of a region. Branch targets are offsets in it, or names of `others`.
pub(super) fn listing(code: &[u8], region: &Region, others: &[Region]) -> Vec<Line> {
    let names = Names {
        start: region.start,
        length: region.length,
        others: others
            .iter()
            .map(|other| (other.start, other.name.clone()))
            .collect(),
    };
    let mut decoder = Decoder::with_ip(64, code, region.start, DecoderOptions::NONE);
    let mut formatter = IntelFormatter::with_options(Some(Box::new(names)), None);
    let options = formatter.options_mut();
    options.set_space_after_operand_separator(true);
    options.set_branch_leading_zeros(false);
    options.set_show_branch_size(false);
    let mut infos = InstructionInfoFactory::new();
    let mut instruction = Instruction::default();
    let mut lines = Vec::new();
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        let mut text = String::new();
        formatter.format(&instruction, &mut text);
        lines.push(Line {
            offset: (instruction.ip() - region.start) as u32,
            text,
            count: 0.0,
            kinds: kinds(&instruction, &mut infos),
        });
    }
    // Padding behind the last instruction is nobody's.
    while lines.last().is_some_and(|line| {
        line.text.starts_with("nop") || line.text == "int3" || line.text == "add [rax], al"
    }) {
        lines.pop();
    }
    lines
}

/// Names of branch targets.
struct Names {
    start: u64,
    length: u64,
    others: Vec<(u64, String)>,
}

impl SymbolResolver for Names {
    fn symbol(
        &mut self,
        instruction: &Instruction,
        operand: u32,
        _: Option<u32>,
        address: u64,
        _: u32,
    ) -> Option<SymbolResult<'_>> {
        if instruction.op_kind(operand) != OpKind::NearBranch64 {
            return None;
        }
        if address.wrapping_sub(self.start) < self.length {
            let offset = format!("{:x}h", address - self.start);
            return Some(SymbolResult::with_string(address, offset));
        }
        let known = self.others.iter().find(|other| other.0 == address)?;
        Some(SymbolResult::with_str(address, known.1.as_str()))
    }
}

fn kinds(instruction: &Instruction, infos: &mut InstructionInfoFactory) -> Vec<Kind> {
    let mut kinds = Vec::new();
    match instruction.flow_control() {
        FlowControl::Next | FlowControl::Exception | FlowControl::Interrupt => {}
        FlowControl::Call | FlowControl::IndirectCall => kinds.push(Kind::Call),
        _ => kinds.push(Kind::Branch),
    }
    if is_move(instruction) {
        kinds.push(Kind::Move);
    }
    // Return addresses are part of the call.
    let is_jump = !kinds.is_empty();
    for memory in infos.info(instruction).used_memory() {
        let is_frame = matches!(memory.base(), Register::RSP | Register::RBP);
        if is_frame && is_jump {
            continue;
        }
        let (reads, writes) = match memory.access() {
            OpAccess::Read | OpAccess::CondRead => (true, false),
            OpAccess::Write | OpAccess::CondWrite => (false, true),
            OpAccess::ReadWrite | OpAccess::ReadCondWrite => (true, true),
            _ => (false, false),
        };
        for (is_there, kind) in [
            (reads, if is_frame { Kind::Reload } else { Kind::Load }),
            (writes, if is_frame { Kind::Spill } else { Kind::Store }),
        ] {
            if is_there && !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
    }
    kinds
}

/// A copy of a register to another of the same class.
fn is_move(instruction: &Instruction) -> bool {
    let copies = matches!(
        instruction.mnemonic(),
        Mnemonic::Mov
            | Mnemonic::Movaps
            | Mnemonic::Movapd
            | Mnemonic::Movups
            | Mnemonic::Movupd
            | Mnemonic::Movdqa
            | Mnemonic::Movdqu
            | Mnemonic::Vmovaps
            | Mnemonic::Vmovapd
            | Mnemonic::Vmovups
            | Mnemonic::Vmovupd
            | Mnemonic::Vmovdqa
            | Mnemonic::Vmovdqu
    );
    copies
        && instruction.op_count() == 2
        && (0..2).all(|operand| instruction.op_kind(operand) == OpKind::Register)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds_of(code: &[u8]) -> Vec<Vec<Kind>> {
        let region = Region {
            start: 0x1000,
            length: code.len() as u64,
            ..Region::default()
        };
        let lines = listing(code, &region, &[]);
        lines.into_iter().map(|line| line.kinds).collect()
    }

    #[test]
    fn instructions_are_of_kinds() {
        // mov rax, rbx; mov eax, [rsp + 8]; add [rdi], eax; lea rax, [rdi + 1]; push rbx; call; ret
        let code = [
            0x48, 0x89, 0xd8, 0x8b, 0x44, 0x24, 0x08, 0x01, 0x07, 0x48, 0x8d, 0x47, 0x01, 0x53,
            0xe8, 0, 0, 0, 0, 0xc3,
        ];
        let expected: [&[Kind]; 7] = [
            &[Kind::Move],
            &[Kind::Reload],
            &[Kind::Load, Kind::Store],
            &[],
            &[Kind::Spill],
            &[Kind::Call],
            &[Kind::Branch],
        ];
        assert_eq!(kinds_of(&code), expected);
    }

    #[test]
    fn targets_are_offsets_or_names() {
        // jmp to the start; call 0x2000
        let code = [0xeb, 0xfe, 0xe8, 0xf9, 0x0f, 0, 0, 0x90];
        let region = Region {
            start: 0x1000,
            length: 8,
            ..Region::default()
        };
        let other = Region {
            start: 0x2000,
            name: "callee".to_owned(),
            ..Region::default()
        };
        let lines = listing(&code, &region, &[other]);
        assert_eq!(lines.len(), 2, "without padding");
        assert_eq!(lines[0].text, "jmp 0h");
        assert_eq!(lines[1].text, "call callee");
    }
}
