//! Hindley–Milner type inference for a small functional language: a lexer, a parser, unification with
//! levels for generalisation, and type printing. The kernel infers the types of a generated module of
//! mutually dependent definitions and of a few hand-written ones whose types are known.

use bench::{mix, mix_bytes, Rng, Workload};
use std::collections::HashMap;
use std::fmt::Write;

// ---- Syntax -------------------------------------------------------------------------------------

#[derive(Debug)]
enum Expr<'a> {
    Int,
    Bool,
    Var(&'a str),
    Lambda(&'a str, Box<Expr<'a>>),
    Apply(Box<Expr<'a>>, Box<Expr<'a>>),
    Let(&'a str, Box<Expr<'a>>, Box<Expr<'a>>),
    If(Box<[Expr<'a>; 3]>),
    Pair(Box<[Expr<'a>; 2]>),
    List(Vec<Expr<'a>>),
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Token<'a> {
    Number,
    Name(&'a str),
    Symbol(u8),
    Arrow,
    End,
}

struct Parser<'a> {
    text: &'a str,
    token: Token<'a>,
}

type Parsed<'a> = Result<Expr<'a>, String>;

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Parser<'a> {
        let mut parser = Parser { text, token: Token::End };
        parser.advance();
        parser
    }

    fn advance(&mut self) -> Token<'a> {
        self.text = self.text.trim_start();
        let bytes = self.text.as_bytes();
        let run = |f: fn(&u8) -> bool| bytes.iter().take_while(|b| f(b)).count();
        let (len, next) = match bytes {
            [] => (0, Token::End),
            [b'-', b'>', ..] => (2, Token::Arrow),
            [b'0'..=b'9', ..] => (run(u8::is_ascii_digit), Token::Number),
            [b, ..] if b.is_ascii_alphabetic() => {
                let len = run(|b| b.is_ascii_alphanumeric() || *b == b'_');
                (len, Token::Name(&self.text[..len]))
            }
            [b, ..] => (1, Token::Symbol(*b)),
        };
        self.text = &self.text[len..];
        std::mem::replace(&mut self.token, next)
    }

    fn take(&mut self, token: Token<'a>) -> bool {
        let found = self.token == token;
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, token: Token<'a>) -> Result<(), String> {
        if self.take(token) { Ok(()) } else { Err(format!("{token:?} expected, found {:?}", self.token)) }
    }

    fn name(&mut self) -> Result<&'a str, String> {
        match self.advance() {
            Token::Name(name) => Ok(name),
            other => Err(format!("name expected, found {other:?}")),
        }
    }

    fn expression(&mut self) -> Parsed<'a> {
        match self.token {
            Token::Name("fun") => {
                self.advance();
                let parameter = self.name()?;
                self.expect(Token::Arrow)?;
                Ok(Expr::Lambda(parameter, Box::new(self.expression()?)))
            }
            Token::Name("let") => {
                self.advance();
                let name = self.name()?;
                self.expect(Token::Symbol(b'='))?;
                let value = self.expression()?;
                self.expect(Token::Name("in"))?;
                Ok(Expr::Let(name, Box::new(value), Box::new(self.expression()?)))
            }
            Token::Name("if") => {
                self.advance();
                let condition = self.expression()?;
                self.expect(Token::Name("then"))?;
                let yes = self.expression()?;
                self.expect(Token::Name("else"))?;
                Ok(Expr::If(Box::new([condition, yes, self.expression()?])))
            }
            _ => {
                let mut result = self.atom()?;
                while self.starts_atom() {
                    result = Expr::Apply(Box::new(result), Box::new(self.atom()?));
                }
                Ok(result)
            }
        }
    }

    fn starts_atom(&self) -> bool {
        match self.token {
            Token::Name(name) => !matches!(name, "in" | "then" | "else"),
            Token::Number => true,
            Token::Symbol(b) => b == b'(' || b == b'[',
            _ => false,
        }
    }

    fn atom(&mut self) -> Parsed<'a> {
        match self.advance() {
            Token::Number => Ok(Expr::Int),
            Token::Name("true" | "false") => Ok(Expr::Bool),
            Token::Name(name) => Ok(Expr::Var(name)),
            Token::Symbol(b'(') => {
                let first = self.expression()?;
                let result = if self.take(Token::Symbol(b',')) {
                    Expr::Pair(Box::new([first, self.expression()?]))
                } else {
                    first
                };
                self.expect(Token::Symbol(b')'))?;
                Ok(result)
            }
            Token::Symbol(b'[') => {
                let mut items = Vec::new();
                while self.token != Token::Symbol(b']') {
                    items.push(self.expression()?);
                    self.take(Token::Symbol(b','));
                }
                self.advance();
                Ok(Expr::List(items))
            }
            other => Err(format!("expression expected, found {other:?}")),
        }
    }
}

// ---- Types --------------------------------------------------------------------------------------

type Id = u32;

#[derive(Clone, Copy, PartialEq)]
enum Type {
    Int,
    Bool,
    /// Not yet known; the level is that of the outermost binding that can still see it.
    Unknown { level: u32 },
    /// Known to be the same as another type.
    Link(Id),
    /// A variable of a generalised type.
    Generic,
    Function(Id, Id),
    Pair(Id, Id),
    List(Id),
}

struct Inference<'a> {
    types: Vec<Type>,
    level: u32,
    scope: HashMap<&'a str, Vec<Id>>,
    unifications: u64,
}

impl<'a> Inference<'a> {
    fn new() -> Inference<'a> {
        Inference { types: Vec::new(), level: 0, scope: HashMap::new(), unifications: 0 }
    }

    fn make(&mut self, t: Type) -> Id {
        self.types.push(t);
        self.types.len() as Id - 1
    }

    fn unknown(&mut self) -> Id {
        self.make(Type::Unknown { level: self.level })
    }

    /// Follows links, and shortens the chain it followed.
    fn resolve(&mut self, id: Id) -> Id {
        match self.types[id as usize] {
            Type::Link(to) => {
                let end = self.resolve(to);
                self.types[id as usize] = Type::Link(end);
                end
            }
            _ => id,
        }
    }

    /// Whether `id` occurs in `t`; lowers the levels in `t` to that of `id` on the way.
    fn occurs(&mut self, id: Id, level: u32, t: Id) -> bool {
        let t = self.resolve(t);
        if t == id {
            return true;
        }
        match self.types[t as usize] {
            Type::Unknown { level: other } => {
                self.types[t as usize] = Type::Unknown { level: other.min(level) };
                false
            }
            Type::Function(a, b) | Type::Pair(a, b) => self.occurs(id, level, a) || self.occurs(id, level, b),
            Type::List(a) => self.occurs(id, level, a),
            _ => false,
        }
    }

    fn unify(&mut self, a: Id, b: Id) -> Result<(), String> {
        self.unifications += 1;
        let (a, b) = (self.resolve(a), self.resolve(b));
        if a == b {
            return Ok(());
        }
        match (self.types[a as usize], self.types[b as usize]) {
            (Type::Unknown { level }, _) => {
                if self.occurs(a, level, b) {
                    return Err(format!("infinite type {}", self.show(b)));
                }
                self.types[a as usize] = Type::Link(b);
                Ok(())
            }
            (_, Type::Unknown { .. }) => self.unify(b, a),
            (Type::Function(a1, a2), Type::Function(b1, b2)) | (Type::Pair(a1, a2), Type::Pair(b1, b2)) => {
                self.unify(a1, b1)?;
                self.unify(a2, b2)
            }
            (Type::List(a), Type::List(b)) => self.unify(a, b),
            (x, y) if x == y => Ok(()),
            _ => Err(format!("{} is not {}", self.show(a), self.show(b))),
        }
    }

    /// Makes what only this binding can see generic.
    fn generalise(&mut self, id: Id) {
        let id = self.resolve(id);
        match self.types[id as usize] {
            Type::Unknown { level } if level > self.level => self.types[id as usize] = Type::Generic,
            Type::Function(a, b) | Type::Pair(a, b) => {
                self.generalise(a);
                self.generalise(b);
            }
            Type::List(a) => self.generalise(a),
            _ => {}
        }
    }

    /// A copy with fresh unknowns for the generic variables; parts without any are shared.
    fn instantiate(&mut self, id: Id, fresh: &mut Vec<(Id, Id)>) -> Id {
        let id = self.resolve(id);
        match self.types[id as usize] {
            Type::Generic => match fresh.iter().find(|(from, _)| *from == id) {
                Some((_, to)) => *to,
                None => {
                    let to = self.unknown();
                    fresh.push((id, to));
                    to
                }
            },
            Type::Function(a, b) => {
                let (x, y) = (self.instantiate(a, fresh), self.instantiate(b, fresh));
                if (x, y) == (a, b) { id } else { self.make(Type::Function(x, y)) }
            }
            Type::Pair(a, b) => {
                let (x, y) = (self.instantiate(a, fresh), self.instantiate(b, fresh));
                if (x, y) == (a, b) { id } else { self.make(Type::Pair(x, y)) }
            }
            Type::List(a) => {
                let x = self.instantiate(a, fresh);
                if x == a { id } else { self.make(Type::List(x)) }
            }
            _ => id,
        }
    }

    fn bind<R>(&mut self, name: &'a str, t: Id, body: impl FnOnce(&mut Self) -> R) -> R {
        self.scope.entry(name).or_default().push(t);
        let result = body(self);
        if let Some(shadowed) = self.scope.get_mut(name) {
            shadowed.pop();
        }
        result
    }

    /// The generalised type of a definition, which may call itself by `name`.
    fn definition(&mut self, name: &'a str, value: &Expr<'a>) -> Result<Id, String> {
        self.level += 1;
        let own = self.unknown();
        let found = self.bind(name, own, |me| me.infer(value));
        self.level -= 1;
        let found = found?;
        self.unify(own, found)?;
        self.generalise(found);
        Ok(found)
    }

    fn infer(&mut self, e: &Expr<'a>) -> Result<Id, String> {
        match e {
            Expr::Int => Ok(self.make(Type::Int)),
            Expr::Bool => Ok(self.make(Type::Bool)),
            Expr::Var(name) => match self.scope.get(name).and_then(|s| s.last()) {
                Some(t) => {
                    let t = *t;
                    Ok(self.instantiate(t, &mut Vec::new()))
                }
                None => Err(format!("unbound {name}")),
            },
            Expr::Lambda(parameter, body) => {
                let from = self.unknown();
                let to = self.bind(parameter, from, |me| me.infer(body))?;
                Ok(self.make(Type::Function(from, to)))
            }
            Expr::Apply(function, argument) => {
                let function = self.infer(function)?;
                let argument = self.infer(argument)?;
                let result = self.unknown();
                let wanted = self.make(Type::Function(argument, result));
                self.unify(function, wanted)?;
                Ok(result)
            }
            Expr::Let(name, value, body) => {
                let t = self.definition(name, value)?;
                self.bind(name, t, |me| me.infer(body))
            }
            Expr::If(parts) => {
                let (condition, boolean) = (self.infer(&parts[0])?, self.make(Type::Bool));
                self.unify(condition, boolean)?;
                let (yes, no) = (self.infer(&parts[1])?, self.infer(&parts[2])?);
                self.unify(yes, no)?;
                Ok(yes)
            }
            Expr::Pair(parts) => {
                let (a, b) = (self.infer(&parts[0])?, self.infer(&parts[1])?);
                Ok(self.make(Type::Pair(a, b)))
            }
            Expr::List(items) => {
                let element = self.unknown();
                for item in items {
                    let t = self.infer(item)?;
                    self.unify(element, t)?;
                }
                Ok(self.make(Type::List(element)))
            }
        }
    }

    fn show(&mut self, id: Id) -> String {
        let mut out = String::new();
        self.show_in(id, &mut Vec::new(), false, &mut out);
        out
    }

    fn show_in(&mut self, id: Id, names: &mut Vec<Id>, left_of_arrow: bool, out: &mut String) {
        let id = self.resolve(id);
        match self.types[id as usize] {
            Type::Int => out.push_str("int"),
            Type::Bool => out.push_str("bool"),
            Type::Function(a, b) => {
                out.push_str(if left_of_arrow { "(" } else { "" });
                self.show_in(a, names, true, out);
                out.push_str(" -> ");
                self.show_in(b, names, false, out);
                out.push_str(if left_of_arrow { ")" } else { "" });
            }
            Type::Pair(a, b) => {
                out.push('(');
                self.show_in(a, names, false, out);
                out.push_str(", ");
                self.show_in(b, names, false, out);
                out.push(')');
            }
            Type::List(a) => {
                out.push('[');
                self.show_in(a, names, false, out);
                out.push(']');
            }
            Type::Unknown { .. } | Type::Generic | Type::Link(_) => {
                let n = names.iter().position(|n| *n == id).unwrap_or_else(|| {
                    names.push(id);
                    names.len() - 1
                });
                let _ = write!(out, "'{}{}", char::from(b'a' + (n % 26) as u8), if n < 26 { String::new() } else { (n / 26).to_string() });
            }
        }
    }
}

// ---- The workload -------------------------------------------------------------------------------

/// Built-in functions, as definitions whose types are all that matters.
const PRELUDE: &[(&str, &str)] = &[
    ("id", "fun x -> x"),
    ("plus", "fun a -> fun b -> let same = [a, b, 1] in if is a b then a else b"),
    ("is", "fun a -> fun b -> if true then true else id false"),
    ("compose", "fun f -> fun g -> fun x -> f (g x)"),
    ("twice", "fun f -> compose f f"),
    ("swap", "fun p -> p"),
    ("fold", "fun f -> fun start -> fun l -> let go = fun acc -> fun rest -> if true then acc else go (f acc (head rest)) rest in go start l"),
    ("head", "fun l -> let search = fun p -> search p in let same = fun a -> fun b -> [[a], b] in let x = search 1 in if true then x else let ok = same x l in x"),
    ("map", "fun f -> fun l -> fold (fun out -> fun x -> [f x]) [] l"),
    ("both", "fun f -> fun x -> (f x, f x)"),
];

/// The order in which the prelude can be checked: users after what they use.
const ORDER: [usize; 10] = [0, 2, 1, 3, 4, 5, 7, 6, 8, 9];

const FAULTY: [&str; 4] = ["fun x -> x x", "plus true 1", "if 1 then 2 else 3", "map id (fun x -> x)"];

fn module(definitions: u32) -> Vec<(String, String)> {
    let mut rng = Rng::new(55);
    let mut out: Vec<(String, String)> = Vec::new();
    let mut numeric: Vec<String> = vec!["plus 1".to_owned()];
    for i in 0..definitions {
        let f = numeric[rng.below(numeric.len() as u32) as usize].clone();
        let g = numeric[rng.below(numeric.len() as u32) as usize].clone();
        let (body, is_numeric) = match rng.below(7) {
            0 => (format!("compose ({f}) ({g})"), true),
            1 => (format!("fun x -> let y = {f} x in if is y x then {g} y else plus y (twice ({f}) x)"), true),
            2 => ("fun f -> fun x -> fun y -> (f x y, (both id y, [x, x]))".to_owned(), false),
            3 => (format!("fun l -> map (compose ({f}) ({g})) (map ({g}) l)"), false),
            4 => (format!("fun n -> fold plus (({f}) n) [n, ({g}) n, 3]"), true),
            5 => (format!("let k = fun a -> fun b -> a in fun x -> k (({f}) x) (k true (both ({g}) x))"), true),
            _ => ("let pair = fun a -> fun b -> (a, b) in let p = pair (pair 1 true) in twice (fun q -> q) (p (p (p p)))".to_owned(), false),
        };
        let name = format!("d{i}");
        if is_numeric {
            numeric.push(name.clone());
        }
        out.push((name, body));
    }
    out
}

struct Infer {
    module: Vec<(String, String)>,
    repeat: u32,
    shown: String,
    unifications: u64,
    refused: usize,
}

impl Workload for Infer {
    fn setup(small: bool) -> Infer {
        let (definitions, repeat) = if small { (120, 1) } else { (1200, 4) };
        Infer { module: module(definitions), repeat, shown: String::new(), unifications: 0, refused: 0 }
    }

    fn kernel(&mut self) -> u64 {
        let mut sum = 0;
        for _ in 0..self.repeat {
            let mut inference = Inference::new();
            self.shown.clear();
            self.refused = 0;
            let prelude = ORDER.iter().map(|i| PRELUDE[*i]);
            for (name, text) in prelude.chain(self.module.iter().map(|(n, t)| (n.as_str(), t.as_str()))) {
                let t = Parser::new(text).expression().and_then(|e| inference.definition(name, &e));
                let t = t.unwrap_or_else(|error| panic!("{name}: {error}"));
                inference.scope.entry(name).or_default().push(t);
                let shown = inference.show(t);
                sum = mix_bytes(sum, shown.as_bytes());
                if !name.starts_with('d') {
                    let _ = writeln!(self.shown, "{name}: {shown}");
                }
            }
            for text in FAULTY {
                let error = Parser::new(text).expression().and_then(|e| inference.definition("it", &e)).err();
                self.refused += usize::from(error.is_some());
                sum = mix_bytes(sum, error.unwrap_or_default().as_bytes());
            }
            self.unifications = inference.unifications;
            sum = mix(sum, self.unifications);
        }
        sum
    }

    fn report(&self, out: &mut String) {
        out.push_str(&self.shown);
        let _ = writeln!(out, "unifications {}\nrefused {}", self.unifications, self.refused);
    }
}

pub fn main() {
    bench::main::<Infer>();
}
