//! Each kind of damage is found, and said.

use super::check;
use crate::opt::form::ir::{BlockId, Exit, Function, Op, Value};
use crate::opt::form::parse::parse;

/// A form with a loop in a loop, a call with a result, and a landing pad.
const SOUND: &str = "\
catches
block0(v0: I32, v1: I64): depth 0
  v2: None = Call(v0) Defined(0) (I32) -> (I32)
  v3: I32 = CallResult(v2)
  go on block1() or at a throw block7()
block1: depth 0
  jump block2(v3)
block2(v4: I32): depth 1, a loop
  jump block3(v4)
block3(v5: I32): depth 2, a loop
  v6: I32 = Alu(Sub, W32)(v5, 1)
  if v6 block3(v6) else block4()
block4: depth 1
  v7: I32 = Alu(Sub, W32)(v4, 1)
  if v7 block2(v7) else block5()
block5: depth 0
  table v0 [block6(v3), block6(v6)]
block6(v8: I32): depth 0
  return (v8)
block7: depth 0, a pad for any tag in 0 slots
  tail call(v1) Reference () -> ()
";

#[test]
fn a_sound_form_is_found_to_be_so() {
    assert_eq!(check(&parse(SOUND).expect("a form")), Ok(()));
}

/// What is replaced in the text of the form, and by what.
type Pieces<'t> = &'t [(&'t str, &'t str)];

/// Damaged so, the form is found to be that.
fn check_damaged(cases: &[(Pieces<'_>, &str)]) {
    for (pieces, why) in cases {
        let mut text = SOUND.to_owned();
        for (from, to) in *pieces {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, to, 1);
        }
        let function = parse(&text).expect("a form");
        assert_eq!(check(&function), Err((*why).to_owned()), "{text}");
    }
}

#[test]
fn orders_that_blocks_must_have() {
    check_damaged(&[
        (
            &[("if v7 block2(v7) else", "if v7 block0(v7, v1) else")],
            "block4 leads to the entry, whose parameters callers give",
        ),
        // A block that nothing leads to.
        (
            &[("if v7 block2(v7) else block5()", "jump block2(v7)")],
            "no block before block5 leads there",
        ),
        // One that comes before all that lead to it.
        (
            &[
                ("  jump block2(v3)\n", "  jump block5()\n"),
                ("  table v0 [block6(v3), block6(v6)]", "  jump block2(v3)"),
            ],
            "no block before block2 leads there",
        ),
        (
            &[("depth 2, a loop", "depth 2")],
            "block3 leads back to block3, which is no loop's header",
        ),
        // A second way into a loop.
        (
            &[("  jump block2(v3)\n", "  if v3 block2(v3) else block4()\n")],
            "the loop of block2 is entered elsewhere, on the way to block4",
        ),
        // A block between a loop's header and its end that the header does not lead to.
        (
            &[
                (
                    "  jump block2(v3)\n",
                    "  if v3 block2(v3) else block3(v3)\n",
                ),
                (
                    "block3(v5: I32): depth 2, a loop",
                    "block3(v5: I32): depth 2",
                ),
                ("if v6 block3(v6) else block4()", "return (v6)"),
                ("  jump block3(v4)\n", "  jump block4()\n"),
                (
                    "  table v0 [block6(v3), block6(v6)]",
                    "  table v0 [block6(v3)]",
                ),
            ],
            "block3 is amid the loop of block2, and not of it",
        ),
        (
            &[(
                "block3(v5: I32): depth 2, a loop",
                "block3(v5: I32): depth 1, a loop",
            )],
            "block3 says depth 1, and is at 2",
        ),
        (
            &[("block4: depth 1", "block4: depth 0")],
            "block4 says depth 0, and is at 1",
        ),
    ]);
}

#[test]
fn places_of_values() {
    check_damaged(&[
        // A use before its definition, in a block and around a loop.
        (
            &[(
                "  v6: I32 = Alu(Sub, W32)(v5, 1)\n",
                "  v6: I32 = Alu(Sub, W32)(v9, 1)\n  v9: I32 = Alu(Sub, W32)(v5, 1)\n",
            )],
            "v6 in block3 uses v9, which is not available",
        ),
        (
            &[("jump block3(v4)", "jump block3(v7)")],
            "the end of block2 uses v7, which is not available",
        ),
        // The result of a call that threw.
        (
            &[
                ("tail call(v1) Reference", "tail call(v1, v3) Reference"),
                ("Reference ()", "Reference (I32)"),
            ],
            "the end of block7 uses v3, which is not available",
        ),
        // A condition that is defined where the block's own end leads.
        (
            &[("if v6 block3", "if v7 block3")],
            "the end of block3 uses v7, which is not available",
        ),
    ]);
}

#[test]
fn types_of_values() {
    check_damaged(&[
        (
            &[("(v5, 1)", "(v5, 1L)")],
            "v6: Alu(Sub, W32) of [I32, I64] gives I32",
        ),
        (
            &[("v6: I32 =", "v6: I64 =")],
            "v6: Alu(Sub, W32) of [I32, I32] gives I64",
        ),
        (
            &[("(v4, 1)", "(v4)")],
            "v7: Alu(Sub, W32) of [I32] gives I32",
        ),
        (&[("if v6 ", "if 1L ")], "block3 branches on what is no i32"),
        (
            &[("jump block2(v3)", "jump block2(v1)")],
            "block1 gives v1 for v4, of another type",
        ),
        (
            &[("jump block2(v3)", "jump block2()")],
            "block1 gives 0 arguments to block2, which has 1 parameters",
        ),
        (&[("Call(v0)", "Call(v1)")], "v2 passes [I64] for [I32]"),
        (
            &[("tail call(v1)", "tail call()")],
            "the end of block7 passes [] for [I64]",
        ),
        (
            &[("CallResult(v2)", "CallResult(v2) 1")],
            "v3 is no result of v2",
        ),
        (
            &[("Alu(Sub, W32)(v4, 1)", "Materialize(v4)")],
            "v7 is no constant in a register",
        ),
        (
            &[("Alu(Sub, W32)(v4, 1)", "Load(U32, Heap)(memory, 0.5f)")],
            "v7: the index is no integer",
        ),
        (
            &[(
                "v7: I32 = Alu(Sub, W32)(v4, 1)",
                "v7: None = Store(B4, Heap)(memory, _, 0.5f)",
            )],
            "v7 stores what is no integer",
        ),
        (
            &[("Alu(Sub, W32)(v4, 1)", "Funnel(W32)(v4, v4) 32")],
            "v7: shifted by 32",
        ),
        (
            &[("Alu(Sub, W32)(v4, 1)", "Sum(W32)(v4, v4) 2147483648")],
            "v7: the constant has more than 32 bits",
        ),
    ]);
}

#[test]
fn calls_and_landing_pads() {
    check_damaged(&[
        (&[("catches\n", "")], "the landing pad block7 is none"),
        (
            &[
                ("block7: depth 0, a pad", "block7(v9: I32): depth 0, a pad"),
                ("at a throw block7()", "at a throw block7(v0)"),
            ],
            "the landing pad block7 is none",
        ),
        (
            &[("  jump block2(v3)\n", "  if v3 block2(v3) else block7()\n")],
            "block1 and block7 disagree about throwing",
        ),
        (
            &[(", a pad for any tag in 0 slots", "")],
            "block0 and block7 disagree about throwing",
        ),
        (
            &[(
                "  jump block2(v3)\n",
                "  v9: I64 = Caught()\n  jump block2(v3)\n",
            )],
            "block1 catches in its middle, or is no landing pad",
        ),
        (
            &[(
                "  tail call",
                "  v9: I64 = Address(v1)\n  v10: I64 = Caught()\n  tail call",
            )],
            "block7 catches in its middle, or is no landing pad",
        ),
        (
            &[(
                "  v2: None = Call(v0) Defined(0) (I32) -> (I32)\n  v3: I32 = CallResult(v2)\n",
                "  v3: I32 = Narrow(v1)\n",
            )],
            "block0 has no call that throws",
        ),
        (
            &[(
                "  v3: I32 = CallResult(v2)\n",
                "  v3: I32 = CallResult(v2)\n  v9: I32 = Narrow(v1)\n",
            )],
            "v9 is behind the call that ends block0",
        ),
        (
            &[(
                "  v3: I32 = CallResult(v2)\n",
                "  v9: None = Call() Defined(1) () -> ()\n  v3: I32 = CallResult(v2)\n",
            )],
            "v3 is not behind its call",
        ),
        (
            &[
                ("  jump block2(v3)\n", "  if v0 block2(v3) else block8()\n"),
                (
                    "tail call(v1) Reference () -> ()\n",
                    "trap Unreachable\nblock8: depth 0\n  v9: I32 = CallResult(v2)\n  return (v9)\n",
                ),
            ],
            "v9 is not behind its call",
        ),
        (
            &[
                (
                    "  table v0 [block6(v3), block6(v6)]",
                    "  v9: None = Call() Defined(1) () -> ()\n  go on block6(v3)",
                ),
                (
                    "  jump block2(v3)\n",
                    "  if v3 block2(v3) else block6(v3)\n",
                ),
            ],
            "block5 shares block6 with others",
        ),
    ]);
}

/// Damage that text has no words for.
#[test]
fn what_is_named_is_there() {
    type Damage = fn(&mut Function);
    let cases: &[(Damage, &str)] = &[
        (|f| f.blocks.clear(), "there is no entry"),
        (|f| f.blocks[1].exit = Exit::Open, "block1 has no end"),
        (
            |f| {
                f.origins.pop();
            },
            "not every node has an origin",
        ),
        (|f| f[Value(6)].args[0] = Value(99), "there is no v99"),
        (
            |f| f.blocks[6].exit = Exit::Return(smallvec::smallvec![Value(99)]),
            "there is no v99",
        ),
        (|f| f.blocks[5].params.push(Value(99)), "there is no v99"),
        (|f| f.blocks[5].nodes.push(Value(99)), "there is no v99"),
        (
            |f| f.blocks[1].exit.edges_mut()[0].to = BlockId(99),
            "block1 leads to block99, which is not there",
        ),
        (|f| f[Value(2)].imm = 99, "there is no call 99"),
        (
            |f| f.blocks[7].exit = Exit::TailCall(99),
            "there is no call 99",
        ),
        (
            |f| f.blocks[7].exit = Exit::TailCall(0),
            "call 0 is made in two places",
        ),
        (
            |f| f.blocks[5].exit = Exit::Table(Value(0), Vec::new()),
            "block5 leads nowhere",
        ),
        (|f| f.blocks[5].nodes.push(Value(6)), "v6 is in two places"),
        (
            |f| f.blocks[0].params.swap(0, 1),
            "v1 is not parameter 0 of block0",
        ),
        (
            |f| {
                f.blocks[0].params.pop();
            },
            "the end of block7 uses v1, which is not available",
        ),
        (
            |f| f[Value(6)].op = Op::Const,
            "v6: Const is no node of a block",
        ),
        (
            |f| {
                let one = f[Value(6)].args[1];
                f[one].imm = 1 << 32;
            },
            "v9, a constant of 32 bits, has more",
        ),
        (
            |f| {
                f[Value(6)].op = Op::Shuffle;
                f[Value(6)].imm = 99;
            },
            "there is no vector that v6 could be",
        ),
    ];
    for (damage, why) in cases {
        let mut function = parse(SOUND).expect("a form");
        damage(&mut function);
        assert_eq!(check(&function), Err((*why).to_owned()));
    }
}
