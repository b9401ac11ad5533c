//! Runs spec scripts (`.wast`): the specification's own test format.
//!
//! One `Runner` runs one script in one store, with the `spectest` host module the scripts
//! import. It never stops at a failure: each directive passes, fails, or is skipped because it is
//! about something that zwasm does not claim to support, and the [`Report`] has all three.

#![forbid(unsafe_code)]

mod compare;

use compare::matches;
use std::collections::HashMap;
use wast::core::WastArgCore;
use wast::lexer::Lexer;
use wast::parser::{self, ParseBuffer};
use wast::token::Id;
use wast::{QuoteWat, Wast, WastArg, WastDirective, WastExecute, WastInvoke, WastRet, Wat};
use zwasm::{
    Engine, Error, Extern, ExternRef, Global, GlobalType, Instance, Linker, Memory, MemoryType,
    Module, Mutability, Printable, Ref, RefType, Store, Table, TableType, TrapCode, Val, ValType,
};

/// What happened to the directives of a script. Reasons may be printed as they are: names of scripts
/// and modules are escaped in them.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Directives that did what the script says.
    pub passed: usize,
    /// Those that did not, each with its place and reason.
    pub failures: Vec<String>,
    /// Those that were not tried, each with its place and reason.
    pub skipped: Vec<String>,
}

impl Report {
    /// Adds another script's outcome.
    pub fn add(&mut self, other: Report) {
        self.passed += other.passed;
        self.failures.extend(other.failures);
        self.skipped.extend(other.skipped);
    }

    fn fail(&mut self, place: &str, reason: &str) {
        self.failures.push(at(place, reason));
    }
}

/// A place in a script, counted from 1.
fn place(name: &str, line: usize, column: usize) -> String {
    format!("{name}:{}:{}", line + 1, column + 1)
}

/// A reason with its place. It may have several lines: those of a backtrace.
fn at(place: &str, reason: &str) -> String {
    format!("{}: {}", Printable::name(place), Printable::text(reason))
}

/// Runs a script. `name` appears in messages.
#[must_use]
pub fn run_script(engine: &Engine, name: &str, source: &str) -> Report {
    let mut report = Report::default();
    let mut lexer = Lexer::new(source);
    lexer.allow_confusing_unicode(true);
    let buffer = match ParseBuffer::new_with_lexer(lexer) {
        Ok(buffer) => buffer,
        Err(e) => {
            report.fail(name, &e.message());
            return report;
        }
    };
    let script = match parser::parse::<Wast<'_>>(&buffer) {
        Ok(script) => script,
        Err(e) => {
            let (line, column) = e.span().linecol_in(source);
            report.fail(&place(name, line, column), &e.message());
            return report;
        }
    };
    let mut runner = match Runner::new(engine) {
        Ok(runner) => runner,
        Err(e) => {
            report.fail(name, &format!("cannot set up spectest: {e}"));
            return report;
        }
    };
    for directive in script.directives {
        let (line, column) = directive.span().linecol_in(source);
        let place = place(name, line, column);
        match runner.directive(directive) {
            Ok(()) => report.passed += 1,
            Err(Outcome::Failed(reason)) => report.fail(&place, &reason),
            Err(Outcome::Skipped(reason)) => report.skipped.push(at(&place, &reason)),
        }
    }
    report
}

/// Why a directive did not pass.
enum Outcome {
    Failed(String),
    Skipped(String),
}

fn failed(reason: impl Into<String>) -> Outcome {
    Outcome::Failed(reason.into())
}

type Step<T = ()> = Result<T, Outcome>;

struct Runner {
    engine: Engine,
    store: Store<()>,
    linker: Linker<()>,
    /// The instance that unnamed directives mean.
    current: Option<Instance>,
    instances: HashMap<String, Instance>,
    definitions: HashMap<String, Module>,
    last_definition: Option<Module>,
    /// Why a module of this script was not supported: what depends on it is skipped too.
    unsupported: Option<String>,
}

/// The result of running something: values, or the engine's error.
type Executed = Result<Vec<Val>, Error>;

impl Runner {
    fn new(engine: &Engine) -> Result<Runner, Error> {
        let mut store = Store::new(engine, ());
        let mut linker = Linker::new(engine);
        linker.allow_shadowing(true);
        define_spectest(&mut store, &mut linker)?;
        Ok(Runner {
            engine: engine.clone(),
            store,
            linker,
            current: None,
            instances: HashMap::new(),
            definitions: HashMap::new(),
            last_definition: None,
            unsupported: None,
        })
    }

    fn directive(&mut self, directive: WastDirective<'_>) -> Step {
        match directive {
            WastDirective::Module(mut module) => {
                let name = quote_name(&module);
                self.current = None;
                let module = self.compile(&mut module)?;
                self.instantiate_as(&module, name)
            }
            WastDirective::ModuleDefinition(mut module) => {
                let name = quote_name(&module);
                let module = self.compile(&mut module)?;
                if let Some(name) = name {
                    self.definitions.insert(name, module.clone());
                }
                self.last_definition = Some(module);
                Ok(())
            }
            WastDirective::ModuleInstance {
                instance, module, ..
            } => {
                let module = match module {
                    Some(id) => self.definitions.get(id.name()).cloned(),
                    None => self.last_definition.clone(),
                };
                let module = module.ok_or_else(|| failed("no such module definition"))?;
                self.instantiate_as(&module, instance.map(|id| id.name().to_owned()))
            }
            WastDirective::Register { name, module, .. } => {
                let instance = self.instance(module)?;
                self.linker
                    .instance(&self.store, name, instance)
                    .map(drop)
                    .map_err(|e| failed(e.to_string()))
            }
            WastDirective::Invoke(invoke) => self
                .invoke(&invoke)?
                .map(drop)
                .map_err(|e| failed(format!("{e}"))),
            WastDirective::AssertReturn { exec, results, .. } => {
                let values = self.execute(exec)?.map_err(|e| failed(format!("{e}")))?;
                check_results(&self.store, &values, &results)
            }
            WastDirective::AssertTrap { exec, message, .. } => {
                let result = self.execute(exec)?;
                expect_trap(result, message)
            }
            WastDirective::AssertExhaustion { call, message, .. } => {
                let result = self.invoke(&call)?;
                expect_trap(result, message)
            }
            WastDirective::AssertException { exec, .. } => match self.execute(exec)? {
                Err(e) if e.is_exception() => Ok(()),
                Err(e) => Err(failed(format!("expected an exception, got: {e}"))),
                Ok(values) => Err(failed(format!("expected an exception, got {values:?}"))),
            },
            WastDirective::AssertMalformed {
                mut module,
                message,
                ..
            }
            | WastDirective::AssertInvalid {
                mut module,
                message,
                ..
            } => self.expect_bad_module(&mut module, message),
            WastDirective::AssertUnlinkable {
                module, message, ..
            } => self.expect_unlinkable(module, message),
            WastDirective::AssertMalformedCustom { .. }
            | WastDirective::AssertInvalidCustom { .. } => Err(Outcome::Skipped(
                "custom sections are not interpreted, so none is rejected".into(),
            )),
            WastDirective::AssertSuspension { .. } => {
                Err(Outcome::Skipped("stack switching is not supported".into()))
            }
            WastDirective::Thread(_) | WastDirective::Wait { .. } => {
                Err(Outcome::Skipped("threads are not supported".into()))
            }
        }
    }

    fn compile(&mut self, module: &mut QuoteWat<'_>) -> Step<Module> {
        let bytes = module
            .encode()
            .map_err(|e| failed(format!("cannot encode: {e}")))?;
        self.load(bytes)
    }

    fn load(&mut self, bytes: Vec<u8>) -> Step<Module> {
        Module::new(&self.engine, bytes).map_err(|e| {
            if e.is_unsupported() {
                self.unsupported = Some(e.to_string());
                return Outcome::Skipped(e.to_string());
            }
            failed(e.to_string())
        })
    }

    /// Something is missing: skipped when an unsupported module may be why.
    fn missing(&self, what: String) -> Outcome {
        match &self.unsupported {
            Some(reason) => Outcome::Skipped(format!("{what}, after {reason}")),
            None => failed(what),
        }
    }

    fn instantiate_as(&mut self, module: &Module, name: Option<String>) -> Step {
        // A module that fails to instantiate is not the current one either.
        self.current = None;
        let instance = self
            .linker
            .instantiate(&mut self.store, module)
            .map_err(|e| failed(e.to_string()))?;
        self.current = Some(instance);
        if let Some(name) = name {
            self.instances.insert(name, instance);
        }
        Ok(())
    }

    fn instance(&self, id: Option<Id<'_>>) -> Step<Instance> {
        match id {
            Some(id) => self.instances.get(id.name()).copied(),
            None => self.current,
        }
        .ok_or_else(|| self.missing("no such instance".to_owned()))
    }

    /// Runs something. The outer error is about the script, the inner one about the engine.
    fn execute(&mut self, exec: WastExecute<'_>) -> Step<Executed> {
        match exec {
            WastExecute::Invoke(invoke) => self.invoke(&invoke),
            WastExecute::Wat(mut wat) => {
                let bytes = wat
                    .encode()
                    .map_err(|e| failed(format!("cannot encode: {e}")))?;
                let result = Module::new(&self.engine, bytes)
                    .and_then(|module| self.linker.instantiate(&mut self.store, &module));
                Ok(result.map(|_| Vec::new()))
            }
            WastExecute::Get { module, global, .. } => {
                let instance = self.instance(module)?;
                let global = instance
                    .get_global(&self.store, global)
                    .ok_or_else(|| failed(format!("no global '{}'", Printable::name(global))))?;
                Ok(Ok(vec![global.get(&self.store)]))
            }
        }
    }

    fn invoke(&mut self, invoke: &WastInvoke<'_>) -> Step<Executed> {
        let instance = self.instance(invoke.module)?;
        let func = instance
            .get_func(&self.store, invoke.name)
            .ok_or_else(|| failed(format!("no function '{}'", Printable::name(invoke.name))))?;
        let args = invoke
            .args
            .iter()
            .map(|arg| self.argument(arg))
            .collect::<Step<Vec<Val>>>()?;
        let count = func.ty(&self.store).results().len();
        let mut results = vec![Val::I32(0); count];
        Ok(func
            .call(&mut self.store, &args, &mut results)
            .map(|()| results))
    }

    fn argument(&mut self, arg: &WastArg<'_>) -> Step<Val> {
        let WastArg::Core(arg) = arg else {
            return Err(Outcome::Skipped(
                "component values are not supported".into(),
            ));
        };
        Ok(match arg {
            WastArgCore::I32(v) => Val::I32(*v),
            WastArgCore::I64(v) => Val::I64(*v),
            WastArgCore::F32(v) => Val::F32(v.bits),
            WastArgCore::F64(v) => Val::F64(v.bits),
            WastArgCore::V128(v) => Val::V128(u128::from_le_bytes(v.to_le_bytes())),
            WastArgCore::RefNull(heap) => Val::Ref(compare::null_of(heap)),
            WastArgCore::RefExtern(v) => Val::from(ExternRef::new(&mut self.store, *v)),
            WastArgCore::RefHost(_) => {
                return Err(Outcome::Skipped(
                    "host references of `any` are not supported".into(),
                ));
            }
        })
    }

    fn expect_bad_module(&self, module: &mut QuoteWat<'_>, message: &str) -> Step {
        let Ok(bytes) = module.encode() else {
            return Ok(());
        };
        match Module::new(&self.engine, bytes) {
            Err(e) if e.is_bad_module() => Ok(()),
            Err(e) => Err(failed(format!("expected {message:?}, got: {e}"))),
            Ok(_) => Err(failed(format!(
                "expected {message:?}, but the module was accepted"
            ))),
        }
    }

    fn expect_unlinkable(&mut self, mut module: Wat<'_>, message: &str) -> Step {
        let bytes = module
            .encode()
            .map_err(|e| failed(format!("cannot encode: {e}")))?;
        let module = self.load(bytes)?;
        match self.linker.instantiate(&mut self.store, &module) {
            Err(e) if e.is_link() && e.to_string().contains(message) => Ok(()),
            Err(e) if e.to_string().contains("unknown import") => Err(self.missing(e.to_string())),
            Err(e) => Err(failed(format!("expected {message:?}, got: {e}"))),
            Ok(_) => Err(failed(format!(
                "expected {message:?}, but the module was linked"
            ))),
        }
    }
}

fn quote_name(module: &QuoteWat<'_>) -> Option<String> {
    module.name().map(|id| id.name().to_owned())
}

fn check_results(store: &Store<()>, values: &[Val], expected: &[WastRet<'_>]) -> Step {
    if values.len() != expected.len() {
        return Err(failed(format!(
            "expected {} results, got {values:?}",
            expected.len()
        )));
    }
    for (value, expected) in values.iter().zip(expected) {
        let WastRet::Core(expected) = expected else {
            return Err(Outcome::Skipped(
                "component values are not supported".into(),
            ));
        };
        if !matches(store, value, expected) {
            return Err(failed(format!("expected {expected:?}, got {value:?}")));
        }
    }
    Ok(())
}

fn expect_trap(result: Executed, message: &str) -> Step {
    match result {
        Err(e) => match e.trap_code() {
            Some(code) if trap_matches(code, message) => Ok(()),
            _ => Err(failed(format!("expected trap {message:?}, got: {e}"))),
        },
        Ok(values) => Err(failed(format!("expected trap {message:?}, got {values:?}"))),
    }
}

/// The scripts' texts for one trap vary a little, and may carry details ("uninitialized element 2").
fn trap_matches(code: TrapCode, message: &str) -> bool {
    let text = code.text();
    message.starts_with(text)
        || text.starts_with(message)
        || match code {
            TrapCode::NullFunctionReference => message == "null function",
            TrapCode::NullExceptionReference => message == "null exception",
            // An element that was never set is null: both texts are in use.
            TrapCode::UndefinedElement => message == "out of bounds table access",
            _ => false,
        }
}

/// The host module that spec scripts import.
///
/// Spec: test suite, `spectest`.
fn define_spectest(store: &mut Store<()>, linker: &mut Linker<()>) -> Result<(), Error> {
    const NAME: &str = "spectest";
    linker.func_wrap(NAME, "print", || {})?;
    linker.func_wrap(NAME, "print_i32", |_: i32| {})?;
    linker.func_wrap(NAME, "print_i64", |_: i64| {})?;
    linker.func_wrap(NAME, "print_f32", |_: f32| {})?;
    linker.func_wrap(NAME, "print_f64", |_: f64| {})?;
    linker.func_wrap(NAME, "print_i32_f32", |_: i32, _: f32| {})?;
    linker.func_wrap(NAME, "print_f64_f64", |_: f64, _: f64| {})?;
    for (name, content, value) in [
        ("global_i32", ValType::I32, Val::I32(666)),
        ("global_i64", ValType::I64, Val::I64(666)),
        ("global_f32", ValType::F32, Val::from(666.6_f32)),
        ("global_f64", ValType::F64, Val::from(666.6_f64)),
    ] {
        let ty = GlobalType {
            content,
            mutability: Mutability::Const,
        };
        let global = Global::new(&mut *store, ty, value)?;
        linker.define(&*store, NAME, name, global)?;
    }
    for (name, table64) in [("table", false), ("table64", true)] {
        let ty = TableType {
            element: RefType::FUNCREF,
            minimum: 10,
            maximum: Some(20),
            table64,
        };
        let table = Table::new(&mut *store, ty, Ref::Func(None))?;
        linker.define(&*store, NAME, name, Extern::Table(table))?;
    }
    let memory = Memory::new(&mut *store, MemoryType::new(1, Some(2)))?;
    linker.define(&*store, NAME, "memory", memory)?;
    Ok(())
}
