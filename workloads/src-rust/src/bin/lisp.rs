//! A Lisp interpreter: reader, environments in reference-counted frames, closures, proper tail calls
//! and lists of shared cells. The kernel runs a program with higher-order functions, a queue-based
//! prime sieve, n-queens and symbolic differentiation: small allocations, reference counts and
//! pattern matching on tagged values.

use bench::{mix, mix_bytes, Workload};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write;
use std::rc::Rc;

type Symbol = u32;

#[derive(Clone)]
enum Value {
    Nil,
    Int(i64),
    Symbol(Symbol),
    Pair(Rc<(Value, Value)>),
    Closure(Rc<Closure>),
    Builtin(Builtin),
}

type Builtin = fn(&[Value]) -> Result<Value, String>;

struct Closure {
    parameters: Vec<Symbol>,
    body: Value,
    frame: Rc<Frame>,
}

struct Frame {
    names: RefCell<Vec<(Symbol, Value)>>,
    outer: Option<Rc<Frame>>,
}

impl Frame {
    fn new(outer: Option<Rc<Frame>>, names: Vec<(Symbol, Value)>) -> Rc<Frame> {
        Rc::new(Frame { names: RefCell::new(names), outer })
    }

    fn get(&self, name: Symbol) -> Option<Value> {
        let mut frame = self;
        loop {
            if let Some((_, value)) = frame.names.borrow().iter().rev().find(|(n, _)| *n == name) {
                return Some(value.clone());
            }
            frame = frame.outer.as_deref()?;
        }
    }
}

fn cons(head: Value, tail: Value) -> Value {
    Value::Pair(Rc::new((head, tail)))
}

fn list(items: Vec<Value>) -> Value {
    items.into_iter().rev().fold(Value::Nil, |tail, item| cons(item, tail))
}

/// The items of a proper list.
struct Items<'a>(&'a Value);

impl<'a> Iterator for Items<'a> {
    type Item = &'a Value;
    fn next(&mut self) -> Option<&'a Value> {
        let Value::Pair(pair) = self.0 else { return None };
        self.0 = &pair.1;
        Some(&pair.0)
    }
}

// ---- Reader -------------------------------------------------------------------------------------

#[derive(Default)]
struct Symbols {
    numbers: HashMap<String, Symbol>,
    names: Vec<String>,
}

impl Symbols {
    fn intern(&mut self, name: &str) -> Symbol {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = self.names.len() as Symbol;
        self.numbers.insert(name.to_owned(), number);
        self.names.push(name.to_owned());
        number
    }
}

struct Reader<'a> {
    text: &'a str,
    symbols: &'a mut Symbols,
}

impl Reader<'_> {
    fn token(&mut self) -> Option<&str> {
        self.text = self.text.trim_start();
        let first = self.text.chars().next()?;
        let len = match first {
            '(' | ')' | '\'' => 1,
            _ => self.text.find([' ', '\n', '(', ')']).unwrap_or(self.text.len()),
        };
        let (token, rest) = self.text.split_at(len);
        self.text = rest;
        Some(token)
    }

    fn read(&mut self) -> Result<Option<Value>, String> {
        let Some(token) = self.token() else { return Ok(None) };
        let token = token.to_owned();
        match token.as_str() {
            "(" => {
                let mut items = Vec::new();
                loop {
                    self.text = self.text.trim_start();
                    if let Some(rest) = self.text.strip_prefix(')') {
                        self.text = rest;
                        return Ok(Some(list(items)));
                    }
                    items.push(self.read()?.ok_or("unclosed list")?);
                }
            }
            ")" => Err("unexpected )".to_owned()),
            "'" => {
                let quoted = self.read()?.ok_or("nothing to quote")?;
                let quote = self.symbols.intern("quote");
                Ok(Some(list(vec![Value::Symbol(quote), quoted])))
            }
            word => Ok(Some(match word.parse() {
                Ok(number) => Value::Int(number),
                Err(_) => Value::Symbol(self.symbols.intern(word)),
            })),
        }
    }
}

fn show(value: &Value, symbols: &Symbols, out: &mut String) {
    match value {
        Value::Nil => out.push_str("()"),
        Value::Int(i) => {
            let _ = write!(out, "{i}");
        }
        Value::Symbol(s) => out.push_str(&symbols.names[*s as usize]),
        Value::Pair(_) => {
            out.push('(');
            for (i, item) in Items(value).enumerate() {
                if i > 0 {
                    out.push(' ');
                }
                show(item, symbols, out);
            }
            out.push(')');
        }
        Value::Closure(_) | Value::Builtin(_) => out.push_str("#function"),
    }
}

// ---- Evaluator ----------------------------------------------------------------------------------

/// The special forms, interned first, in this order.
const FORMS: [&str; 7] = ["quote", "if", "define", "lambda", "let", "cond", "else"];
const QUOTE: Symbol = 0;
const IF: Symbol = 1;
const DEFINE: Symbol = 2;
const LAMBDA: Symbol = 3;
const LET: Symbol = 4;
const COND: Symbol = 5;
const ELSE: Symbol = 6;

struct Interpreter {
    symbols: Symbols,
    global: Rc<Frame>,
    applications: u64,
}

fn truthy(value: &Value) -> bool {
    !matches!(value, Value::Nil | Value::Int(0))
}

fn nth(form: &Value, n: usize) -> Result<&Value, String> {
    Items(form).nth(n).ok_or_else(|| format!("form has no part {n}"))
}

impl Interpreter {
    fn new() -> Interpreter {
        let mut symbols = Symbols::default();
        for form in FORMS {
            symbols.intern(form);
        }
        let builtins: [(&str, Builtin); 12] = [
            ("+", |a| fold(a, i64::wrapping_add)),
            ("-", |a| fold(a, i64::wrapping_sub)),
            ("*", |a| fold(a, i64::wrapping_mul)),
            ("mod", |a| fold(a, |x, y| x.checked_rem(y).unwrap_or(0))),
            ("<", |a| compare(a, |x, y| x < y)),
            ("=", |a| Ok(Value::Int(i64::from(same(arg(a, 0)?, arg(a, 1)?))))),
            ("cons", |a| Ok(cons(arg(a, 0)?.clone(), arg(a, 1)?.clone()))),
            ("car", |a| pair(a).map(|p| p.0.clone())),
            ("cdr", |a| pair(a).map(|p| p.1.clone())),
            ("pair?", |a| Ok(Value::Int(i64::from(matches!(arg(a, 0)?, Value::Pair(_)))))),
            ("int?", |a| Ok(Value::Int(i64::from(matches!(arg(a, 0)?, Value::Int(_)))))),
            ("list", |a| Ok(list(a.to_vec()))),
        ];
        let names = builtins.map(|(name, f)| (symbols.intern(name), Value::Builtin(f))).to_vec();
        Interpreter { symbols, global: Frame::new(None, names), applications: 0 }
    }

    /// Evaluates in a loop: the last expression of a body replaces the current one, so tail calls
    /// take no stack.
    fn eval(&mut self, expression: &Value, frame: &Rc<Frame>) -> Result<Value, String> {
        let mut expression = expression.clone();
        let mut frame = frame.clone();
        loop {
            let pair = match &expression {
                Value::Symbol(name) => {
                    return frame.get(*name).ok_or_else(|| format!("unbound {}", self.symbols.names[*name as usize]));
                }
                Value::Pair(pair) => pair.clone(),
                value => return Ok(value.clone()),
            };
            if let Value::Symbol(form @ QUOTE..=COND) = pair.0 {
                let next = match form {
                    QUOTE => return nth(&expression, 1).cloned(),
                    IF => {
                        let chosen = if truthy(&self.eval(nth(&expression, 1)?, &frame)?) { 2 } else { 3 };
                        nth(&expression, chosen)?.clone()
                    }
                    DEFINE => {
                        let Value::Symbol(name) = *nth(&expression, 1)? else { return Err("define needs a name".to_owned()) };
                        let value = self.eval(nth(&expression, 2)?, &frame)?;
                        frame.names.borrow_mut().push((name, value));
                        return Ok(Value::Nil);
                    }
                    LAMBDA => {
                        let parameters = Items(nth(&expression, 1)?)
                            .map(|p| if let Value::Symbol(s) = p { Ok(*s) } else { Err("parameter is no name".to_owned()) })
                            .collect::<Result<_, _>>()?;
                        return Ok(Value::Closure(Rc::new(Closure { parameters, body: nth(&expression, 2)?.clone(), frame })));
                    }
                    LET => {
                        let mut names = Vec::new();
                        for binding in Items(nth(&expression, 1)?) {
                            let Value::Symbol(name) = *nth(binding, 0)? else { return Err("let needs names".to_owned()) };
                            names.push((name, self.eval(nth(binding, 1)?, &frame)?));
                        }
                        frame = Frame::new(Some(frame), names);
                        nth(&expression, 2)?.clone()
                    }
                    _ => {
                        let mut chosen = Value::Nil;
                        for clause in Items(&pair.1) {
                            let test = nth(clause, 0)?;
                            if matches!(test, Value::Symbol(ELSE)) || truthy(&self.eval(test, &frame)?) {
                                chosen = nth(clause, 1)?.clone();
                                break;
                            }
                        }
                        chosen
                    }
                };
                expression = next;
                continue;
            }
            self.applications += 1;
            let function = self.eval(&pair.0, &frame)?;
            let mut arguments = Vec::new();
            for argument in Items(&pair.1) {
                arguments.push(self.eval(argument, &frame)?);
            }
            match function {
                Value::Builtin(f) => return f(&arguments),
                Value::Closure(closure) => {
                    if closure.parameters.len() != arguments.len() {
                        return Err("wrong number of arguments".to_owned());
                    }
                    let names = closure.parameters.iter().copied().zip(arguments).collect();
                    frame = Frame::new(Some(closure.frame.clone()), names);
                    expression = closure.body.clone();
                }
                _ => return Err("not a function".to_owned()),
            }
        }
    }

    fn run(&mut self, text: &str) -> Result<Value, String> {
        let mut last = Value::Nil;
        let mut symbols = std::mem::take(&mut self.symbols);
        let mut reader = Reader { text, symbols: &mut symbols };
        let mut forms = Vec::new();
        while let Some(form) = reader.read()? {
            forms.push(form);
        }
        self.symbols = symbols;
        let global = self.global.clone();
        for form in forms {
            last = self.eval(&form, &global)?;
        }
        Ok(last)
    }
}

impl Drop for Interpreter {
    /// Global functions hold the global frame that holds them: cut the cycle.
    fn drop(&mut self) {
        self.global.names.borrow_mut().clear();
    }
}

fn arg(arguments: &[Value], n: usize) -> Result<&Value, String> {
    arguments.get(n).ok_or_else(|| "too few arguments".to_owned())
}

fn int(value: &Value) -> Result<i64, String> {
    if let Value::Int(i) = value { Ok(*i) } else { Err("not a number".to_owned()) }
}

fn fold(arguments: &[Value], f: fn(i64, i64) -> i64) -> Result<Value, String> {
    let mut result = int(arg(arguments, 0)?)?;
    for value in &arguments[1..] {
        result = f(result, int(value)?);
    }
    Ok(Value::Int(result))
}

fn compare(arguments: &[Value], f: fn(i64, i64) -> bool) -> Result<Value, String> {
    Ok(Value::Int(i64::from(f(int(arg(arguments, 0)?)?, int(arg(arguments, 1)?)?))))
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Nil, Value::Nil) => true,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Symbol(a), Value::Symbol(b)) => a == b,
        _ => false,
    }
}

fn pair(arguments: &[Value]) -> Result<&(Value, Value), String> {
    if let Value::Pair(pair) = arg(arguments, 0)? { Ok(pair) } else { Err("not a pair".to_owned()) }
}

// ---- The workload -------------------------------------------------------------------------------

const LIBRARY: &str = "
(define map (lambda (f l) (if (pair? l) (cons (f (car l)) (map f (cdr l))) '())))
(define filter (lambda (f l) (cond ((pair? l) (if (f (car l)) (cons (car l) (filter f (cdr l))) (filter f (cdr l)))) (else '()))))
(define fold (lambda (f start l) (if (pair? l) (fold f (f start (car l)) (cdr l)) start)))
(define range (lambda (from to) (if (< from to) (cons from (range (+ from 1) to)) '())))
(define append (lambda (a b) (if (pair? a) (cons (car a) (append (cdr a) b)) b)))
(define length (lambda (l) (fold (lambda (n x) (+ n 1)) 0 l)))
(define sieve (lambda (l) (if (pair? l)
  (cons (car l) (sieve (filter (lambda (n) (mod n (car l))) (cdr l)))) '())))
(define attacks (lambda (row distance placed) (if (pair? placed)
  (cond ((= row (car placed)) 1) ((= (+ row distance) (car placed)) 1) ((= (- row distance) (car placed)) 1)
        (else (attacks row (+ distance 1) (cdr placed)))) 0)))
(define queens (lambda (left size placed) (if (= left 0) 1
  (fold (lambda (n row) (if (attacks row 1 placed) n (+ n (queens (- left 1) size (cons row placed))))) 0 (range 0 size)))))
(define derive (lambda (e x) (cond
  ((int? e) 0)
  ((= e x) 1)
  ((pair? e) (let ((op (car e)) (a (car (cdr e))) (b (car (cdr (cdr e)))))
    (cond ((= op 'plus) (list 'plus (derive a x) (derive b x)))
          (else (list 'plus (list 'times a (derive b x)) (list 'times (derive a x) b))))))
  (else 0))))
(define simplify (lambda (e) (if (pair? e)
  (let ((op (car e)) (a (simplify (car (cdr e)))) (b (simplify (car (cdr (cdr e))))))
    (cond ((= op 'plus) (cond ((= a 0) b) ((= b 0) a) (else (list op a b))))
          ((= a 0) 0) ((= b 0) 0) ((= a 1) b) ((= b 1) a) (else (list op a b)))) e)))
(define power (lambda (x n) (if (= n 1) x (list 'times x (power x (- n 1))))))
(define size (lambda (e) (if (pair? e) (+ 1 (size (car e)) (size (cdr e))) 1)))
";

struct Lisp {
    program: String,
    answer: String,
    applications: u64,
}

impl Workload for Lisp {
    fn setup(small: bool) -> Lisp {
        let (primes, queens, power) = if small { (60, 4, 4) } else { (500, 6, 24) };
        let program = format!(
            "(list (length (sieve (range 2 {primes}))) (queens {queens} {queens} '())
               (size (simplify (derive (simplify (derive (power 'x {power}) 'x)) 'x)))
               (simplify (derive '(plus (times x x) (times 3 x)) 'x)))"
        );
        Lisp { program, answer: String::new(), applications: 0 }
    }

    fn kernel(&mut self) -> u64 {
        let mut interpreter = Interpreter::new();
        interpreter.run(LIBRARY).expect("the library is correct");
        let answer = interpreter.run(&self.program).expect("the program is correct");
        self.answer.clear();
        show(&answer, &interpreter.symbols, &mut self.answer);
        self.applications = interpreter.applications;
        mix(mix_bytes(0, self.answer.as_bytes()), self.applications)
    }

    fn report(&self, out: &mut String) {
        let _ = writeln!(out, "{}\napplications {}", self.answer, self.applications);
    }
}

pub fn main() {
    bench::main::<Lisp>();
}
