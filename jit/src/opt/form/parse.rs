//! Reads the intermediate form as `display` writes it, so that tests of passes are text.
//!
//! What is read prints as the same text. Names of operations are not written here: an operation is the
//! one of [`Op::list`] that prints like that. Values keep their numbers; constants get numbers that no
//! value has. Whether the form is well-formed, the verifier says.

use super::ir::{
    Block, BlockId, CallSite, Callee, Edge, Exit, Function, Node, Op, Origin, Pad, Ty, Types,
    Value, Values,
};
use crate::masm::Listed;
use core::fmt::Debug;
use core::str::FromStr;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Every operation by how it prints.
static OPS: LazyLock<HashMap<String, Op>> = LazyLock::new(|| {
    let named = |op: Op| (format!("{op:?}"), op);
    Op::list().into_iter().map(named).collect()
});

/// Numbers of values are below this, so that a typing error asks for no memory.
const VALUES_MAX: u32 = 1 << 20;

/// Reads a function; the error says in which line what is wrong.
pub(crate) fn parse(text: &str) -> Result<Function, String> {
    let mut reader = Reader::new(numbers_in(text));
    for (line, number) in text.lines().zip(1..) {
        let read = reader.line(line, number);
        read.map_err(|why| format!("line {number}: {why}"))?;
    }
    reader.finish()
}

/// One more than the highest number of a value.
fn numbers_in(text: &str) -> u32 {
    let is_name = |c: char| c.is_alphanumeric() || c == ':';
    let names = text.split(|c| !is_name(c));
    let numbers =
        names.filter_map(|name| name.trim_end_matches(':').strip_prefix('v')?.parse().ok());
    numbers
        .filter(|&number: &u32| number < VALUES_MAX)
        .max()
        .map_or(0, |max| max + 1)
}

/// A function as far as it is read.
struct Reader {
    function: Function,
    /// By number, what is defined so far; constants lie behind what the text has numbers for.
    nodes: Vec<Option<Node>>,
    /// Constants, and what else is no value of a block.
    everywhere: HashMap<(Op, Ty, u64), Value>,
    vectors: HashMap<[u64; 2], u64>,
    /// Where values are used, as lines of the text.
    used: Vec<(Value, usize)>,
    is_block_open: bool,
}

impl Reader {
    fn new(numbers: u32) -> Reader {
        Reader {
            function: Function::default(),
            nodes: vec![None; numbers as usize],
            everywhere: HashMap::new(),
            vectors: HashMap::new(),
            used: Vec::new(),
            is_block_open: false,
        }
    }

    fn finish(self) -> Result<Function, String> {
        let Reader {
            mut function,
            nodes,
            used,
            is_block_open,
            ..
        } = self;
        if is_block_open || function.blocks.is_empty() {
            return Err("the last block has no end".to_owned());
        }
        for (value, line) in used {
            if nodes[value.0 as usize].is_none() {
                return Err(format!("line {line}: {value} is defined nowhere"));
            }
        }
        for node in nodes {
            // A number that nothing has.
            let node = node.unwrap_or(Node::constant(Ty::I32, 0));
            function.add(node, Origin::default());
        }
        Ok(function)
    }

    fn line(&mut self, text: &str, number: usize) -> Result<(), String> {
        let mut line = Line { rest: text, number };
        if text == "catches" && self.function.blocks.is_empty() {
            self.function.catches = true;
            return Ok(());
        }
        if line.eat("block") {
            self.header(&mut line)?;
        } else {
            line.expect("  ")?;
            if !self.is_block_open {
                return Err("this is in no block".to_owned());
            }
            if line.eat("v") {
                self.node(&mut line)?;
            } else {
                let exit = self.exit(&mut line)?;
                self.block().exit = exit;
                self.is_block_open = false;
            }
        }
        line.end()
    }

    fn block(&mut self) -> &mut Block {
        let last = self.function.blocks.last_mut();
        last.expect("the block that is open")
    }

    /// Behind `block`.
    fn header(&mut self, line: &mut Line<'_>) -> Result<(), String> {
        if self.is_block_open {
            return Err("the block before has no end".to_owned());
        }
        let id = BlockId(line.number()?);
        if id.0 as usize != self.function.blocks.len() {
            return Err(format!("{id} is not the next one"));
        }
        self.function.add_block(0);
        self.is_block_open = true;
        if line.eat("(") {
            line.list(")", |line| {
                line.expect("v")?;
                let value = Value(line.number()?);
                line.expect(": ")?;
                let ty = line.listed("type")?;
                let imm = self.block().params.len() as u64;
                self.define(value, Node::new(Op::Param, ty, &[], imm))?;
                self.block().params.push(value);
                Ok(())
            })?;
        }
        line.expect(": depth ")?;
        let loop_depth = line.number()?;
        let block = self.block();
        block.loop_depth = loop_depth;
        block.is_loop_header = line.eat(", a loop");
        block.is_rare = line.eat(", rare");
        if line.eat(", often ") {
            block.often = Some(line.fraction()?);
        }
        if line.eat(", a pad for ") {
            block.pad = Some(line.pad()?);
        }
        Ok(())
    }

    /// Behind the `v` of its number.
    fn node(&mut self, line: &mut Line<'_>) -> Result<(), String> {
        let value = Value(line.number()?);
        line.expect(": ")?;
        let ty = line.listed("type")?;
        line.expect(" = ")?;
        let op = line.op()?;
        let args = self.operands(line)?;
        let node = match op {
            Op::Call => Node::new(op, ty, &[], self.call(line, args)?.into()),
            _ if args.len() > 3 => return Err("more than three operands".to_owned()),
            Op::Shuffle => {
                line.expect(" ")?;
                let text = line.operand();
                let vector = vector(text).ok_or_else(|| format!("no vector: {text}"))?;
                Node::new(op, ty, &args, self.vector(vector))
            }
            _ if line.eat(" ") => Node::new(op, ty, &args, line.number::<i64>()? as u64),
            _ => Node::new(op, ty, &args, 0),
        };
        self.define(value, node)?;
        self.block().nodes.push(value);
        Ok(())
    }

    fn define(&mut self, value: Value, node: Node) -> Result<(), String> {
        let known = self.nodes.get_mut(value.0 as usize);
        let known = known.ok_or_else(|| format!("{value} has too large a number"))?;
        match known.replace(node) {
            Some(_) => Err(format!("{value} is defined twice")),
            None => Ok(()),
        }
    }

    /// The number of a new call: who is called, and the types, behind a blank.
    fn call(&mut self, line: &mut Line<'_>, args: Values) -> Result<u32, String> {
        line.expect(" ")?;
        let callee = line.callee()?;
        line.expect(" (")?;
        let params = line.types()?;
        line.expect(" -> (")?;
        let results = line.types()?;
        self.function.calls.push(CallSite {
            callee,
            params,
            results,
            args,
        });
        Ok(self.function.calls.len() as u32 - 1)
    }

    fn exit(&mut self, line: &mut Line<'_>) -> Result<Exit, String> {
        if line.eat("?") {
            return Ok(Exit::Open);
        }
        let exit = match line.word() {
            "jump" => {
                line.expect(" ")?;
                Exit::Jump(self.edge(line)?)
            }
            "if" => {
                line.expect(" ")?;
                let cond = self.operand(line)?;
                line.expect(" ")?;
                let yes = self.edge(line)?;
                line.expect(" else ")?;
                Exit::Branch(cond, [yes, self.edge(line)?])
            }
            "table" => {
                line.expect(" ")?;
                let index = self.operand(line)?;
                line.expect(" [")?;
                let mut edges = Vec::new();
                line.list("]", |line| {
                    edges.push(self.edge(line)?);
                    Ok(())
                })?;
                Exit::Table(index, edges)
            }
            "return" => {
                line.expect(" ")?;
                Exit::Return(self.operands(line)?)
            }
            "go" => {
                line.expect(" on ")?;
                let mut edges = vec![self.edge(line)?];
                while line.eat(" or at a throw ") {
                    edges.push(self.edge(line)?);
                }
                Exit::Invoke(edges)
            }
            "trap" => {
                line.expect(" ")?;
                Exit::Trap(line.listed("trap")?)
            }
            "tail" => {
                line.expect(" call")?;
                let args = self.operands(line)?;
                Exit::TailCall(self.call(line, args)?)
            }
            word => return Err(format!("neither a value nor an end of a block: {word}")),
        };
        Ok(exit)
    }

    fn edge(&mut self, line: &mut Line<'_>) -> Result<Edge, String> {
        line.expect("block")?;
        Ok(Edge {
            to: BlockId(line.number()?),
            args: self.operands(line)?,
        })
    }

    fn operands(&mut self, line: &mut Line<'_>) -> Result<Values, String> {
        let mut values = Values::new();
        line.expect("(")?;
        line.list(")", |line| {
            values.push(self.operand(line)?);
            Ok(())
        })?;
        Ok(values)
    }

    fn operand(&mut self, line: &mut Line<'_>) -> Result<Value, String> {
        let text = line.operand();
        let (op, ty, imm) = match text {
            "_" => return Ok(Value::NONE),
            "context" => (Op::Context, Ty::I64, 0),
            "memory" => (Op::MemoryBase, Ty::I64, 0),
            _ => {
                if let Some(number) = text.strip_prefix('v').and_then(|name| name.parse().ok()) {
                    let value = Value(number);
                    if number as usize >= self.nodes.len() {
                        return Err(format!("{value} has too large a number"));
                    }
                    self.used.push((value, line.number));
                    return Ok(value);
                }
                match (constant(text), vector(text)) {
                    (Some((ty, bits)), _) => (Op::Const, ty, bits),
                    (None, Some(vector)) => (Op::VectorConst, Ty::V128, self.vector(vector)),
                    (None, None) => return Err(format!("no operand: {text}")),
                }
            }
        };
        let nodes = &mut self.nodes;
        Ok(*self.everywhere.entry((op, ty, imm)).or_insert_with(|| {
            nodes.push(Some(Node::new(op, ty, &[], imm)));
            Value(nodes.len() as u32 - 1)
        }))
    }

    /// The number of a vector.
    fn vector(&mut self, halves: [u64; 2]) -> u64 {
        let vectors = &mut self.function.vectors;
        *self.vectors.entry(halves).or_insert_with(|| {
            vectors.push(halves);
            vectors.len() as u64 - 1
        })
    }
}

/// Type and bits of a constant that is no vector.
fn constant(text: &str) -> Option<(Ty, u64)> {
    let nan = |float: &str| u64::from_str_radix(float.strip_prefix("nan:")?, 16).ok();
    if let Some(bits) = text.strip_suffix('L') {
        return Some((Ty::I64, bits.parse::<i64>().ok()? as u64));
    }
    if let Ok(bits) = text.parse::<i32>() {
        return Some((Ty::I32, u64::from(bits as u32)));
    }
    let (float, ty) = match text.strip_suffix('f') {
        Some(float) => (float, Ty::F32),
        None => (text.strip_suffix('d')?, Ty::F64),
    };
    let bits = match (nan(float), ty) {
        (Some(bits), _) => bits,
        (None, Ty::F32) => u64::from(float.parse::<f32>().ok()?.to_bits()),
        (None, _) => float.parse::<f64>().ok()?.to_bits(),
    };
    Some((ty, bits))
}

/// The halves of a vector, the low one first.
fn vector(text: &str) -> Option<[u64; 2]> {
    let half = |text: &str| u64::from_str_radix(text.strip_prefix("0x")?, 16).ok();
    let (high, low) = text.split_once(':')?;
    Some([half(low)?, half(high)?])
}

/// What is left of a line.
struct Line<'t> {
    rest: &'t str,
    /// Of the text.
    number: usize,
}

impl<'t> Line<'t> {
    /// Goes on behind `what`, if it comes now.
    fn eat(&mut self, what: &str) -> bool {
        let behind = self.rest.strip_prefix(what);
        self.rest = behind.unwrap_or(self.rest);
        behind.is_some()
    }

    fn expect(&mut self, what: &str) -> Result<(), String> {
        if self.eat(what) {
            Ok(())
        } else {
            Err(format!("'{what}' should come before '{}'", self.rest))
        }
    }

    fn end(&self) -> Result<(), String> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(format!("what is '{}'?", self.rest))
        }
    }

    /// What comes before the first character that is not as asked for.
    fn while_is(&mut self, is: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|c| !is(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn word(&mut self) -> &'t str {
        self.while_is(char::is_alphanumeric)
    }

    fn operand(&mut self) -> &'t str {
        self.while_is(|c| !" ,)".contains(c))
    }

    fn number<T: FromStr>(&mut self) -> Result<T, String> {
        let text = self.while_is(|c| c == '-' || c.is_ascii_digit());
        let number = text.parse();
        number.map_err(|_| format!("a number should come before '{text}{}'", self.rest))
    }

    fn fraction(&mut self) -> Result<f32, String> {
        let text = self.while_is(|c| c == '.' || c.is_ascii_digit());
        let number = text.parse();
        number.map_err(|_| format!("a number should come before '{text}{}'", self.rest))
    }

    /// Items, each read by `item`, with commas between, up to `close`.
    fn list(
        &mut self,
        close: &str,
        mut item: impl FnMut(&mut Line<'t>) -> Result<(), String>,
    ) -> Result<(), String> {
        if self.eat(close) {
            return Ok(());
        }
        loop {
            item(self)?;
            if !self.eat(", ") {
                return self.expect(close);
            }
        }
    }

    /// The value of an enumeration that prints like what comes now.
    fn listed<T: Listed + Debug>(&mut self, what: &str) -> Result<T, String> {
        let word = self.word();
        let mut all = T::list().into_iter();
        let found = all.find(|value| format!("{value:?}") == word);
        found.ok_or_else(|| format!("no {what}: {word}"))
    }

    /// An operation, with its parts in parentheses if operands in parentheses follow.
    fn op(&mut self) -> Result<Op, String> {
        let text = self.rest;
        let name = self.word();
        let group = self.rest;
        let mut depth = 0;
        let closing = group.find(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            depth == 0
        });
        let parts = closing.map_or(0, |at| at + 1);
        let has_parts = group[parts..].starts_with('(');
        let length = name.len() + if has_parts { parts } else { 0 };
        self.rest = &text[length..];
        let op = OPS.get(&text[..length]).copied();
        op.ok_or_else(|| format!("no operation: {}", &text[..length]))
    }

    fn callee(&mut self) -> Result<Callee, String> {
        match self.word() {
            "Reference" => Ok(Callee::Reference),
            "Imported" => Ok(Callee::Imported),
            "Defined" => {
                self.expect("(")?;
                let callee = Callee::Defined(self.number()?);
                self.expect(")")?;
                Ok(callee)
            }
            "Helper" => {
                self.expect("(")?;
                let entry = self.number()?;
                self.expect(", [")?;
                let first = self.number()?;
                self.expect(", ")?;
                let second = self.number()?;
                self.expect("])")?;
                Ok(Callee::Helper(entry, [first, second]))
            }
            word => Err(format!("no callee: {word}")),
        }
    }

    /// Behind the opening parenthesis.
    fn types(&mut self) -> Result<Types, String> {
        let mut types = Types::new();
        self.list(")", |line| {
            types.push(line.listed::<Ty>("type")?.val_type());
            Ok(())
        })?;
        Ok(types)
    }

    /// Behind `a pad for `.
    fn pad(&mut self) -> Result<Pad, String> {
        let tag = if self.eat("any tag") {
            None
        } else {
            self.expect("tag ")?;
            Some(self.number()?)
        };
        let with_ref = self.eat(" with its ref");
        self.expect(" in ")?;
        let slots = self.number()?;
        self.expect(" slots")?;
        Ok(Pad {
            tag,
            with_ref,
            slots,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{OPS, parse};
    use crate::masm::Listed;
    use crate::opt::form::ir::{Function, Op};

    /// All that a form can have, but for the operations.
    const FORM: &str = "\
catches
block0(v0: I32, v1: I64, v2: V128): depth 0
  v4: I64 = Alu(Add, W64)(v1, -5L)
  v5: None = Store(B8, Heap)(memory, _, v4) 16
  v6: I32 = Load(U32, Table)(context) -8
  v7: V128 = Shuffle(v2, 0xff:0x0) 0x1f1e1d1c1b1a1918:0x706050403020100
  v8: F64 = Float(Add, F64)(nan:7ff8000000000001d, -0.0d)
  v9: F32 = Float(Add, F32)(nan:ffc00000f, inff)
  v10: F64 = FloatConvert(F64)(1e-7f)
  if v0 block1() else block3(v4, 2147483647)
block1: depth 0, rare
  v11: None = Call(v1, v0) Imported (I32) -> (I32, F64)
  v12: F64 = CallResult(v11) 1
  go on block2() or at a throw block4() or at a throw block5()
block2: depth 0
  v13: None = Call(-1) Helper(12, [1, 18446744073709551615]) (I32) -> ()
  tail call(v0) Defined(3) (I32) -> ()
block3(v14: I64, v15: I32): depth 1, a loop
  table v15 [block3(v14, 0), block6()]
block4: depth 0, a pad for tag 3 with its ref in 2 slots
  v16: I64 = Caught()
  return (v16, 0.1f)
block5: depth 0, rare, a pad for any tag in 0 slots
  trap Unreachable
block6: depth 0
  ?
";

    #[test]
    fn what_is_read_prints_like_that() {
        let function = parse(FORM).expect("a form");
        assert_eq!(function.to_string(), FORM);
        assert_eq!(function.blocks.len(), 7);
        assert_eq!(function.calls.len(), 3);
    }

    #[test]
    fn every_operation_is_read() {
        // No two print alike.
        assert_eq!(OPS.len(), Op::list().len());
        for op in Op::list() {
            let text = format!("block0(v0: I32): depth 0\n  v1: I64 = {op:?}(v0)\n  return ()\n");
            // These say more.
            if matches!(op, Op::Call | Op::Shuffle) {
                continue;
            }
            let function = parse(&text).expect("a form");
            assert_eq!(function.nodes[1].op, op);
            assert_eq!(function.to_string(), text);
        }
    }

    #[test]
    fn errors_say_where() {
        let cases = [
            ("", "the last block has no end"),
            ("  return ()", "line 1: this is in no block"),
            ("block1: depth 0", "line 1: block1 is not the next one"),
            (
                "block0: depth 0\nblock1: depth 0",
                "line 2: the block before has no end",
            ),
            (
                "block0: depth 0\n  return (v0)",
                "line 2: v0 is defined nowhere",
            ),
            (
                "block0(v0: I32, v0: I32): depth 0",
                "line 1: v0 is defined twice",
            ),
            ("block0(v0: I31): depth 0", "line 1: no type: I31"),
            (
                "block0: depth 0\n  v0: I32 = Foo(1)(2)",
                "line 2: no operation: Foo(1)",
            ),
            (
                "block0: depth 0\n  v0: I32 = Alu(Add)(2)",
                "line 2: no operation: Alu(Add)",
            ),
            (
                "block0: depth 0\n  v0: I32 = Narrow(2M)",
                "line 2: no operand: 2M",
            ),
            (
                "block0: depth 0\n  v0: I32 = Select(1, 2, 3, 4)",
                "line 2: more than three operands",
            ),
            (
                "block0: depth 0\n  v0: I32 = Narrow(1L",
                "line 2: ')' should come before ''",
            ),
            (
                "block0: depth 0\n  v4294967295: I32 = Narrow(1L)",
                "line 2: v4294967295 has too large a number",
            ),
            (
                "block0: depth 0\n  jump",
                "line 2: ' ' should come before ''",
            ),
            (
                "block0: depth 0\n  hop block0()",
                "line 2: neither a value nor an end of a block: hop",
            ),
            ("block0: depth 0\n  return () 1", "line 2: what is ' 1'?"),
            (
                "block0: depth 0\n  return ()\n  return ()",
                "line 3: this is in no block",
            ),
        ];
        for (text, why) in cases {
            let error = parse(text).map(|function: Function| function.to_string());
            assert_eq!(error, Err(why.to_owned()), "{text}");
        }
    }
}
