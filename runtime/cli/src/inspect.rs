//! `zwasm inspect` and `zwasm validate`.

use crate::{Outcome, input};
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use zwasm::{Engine, ExternType, Module, Mutability, Printable, ValType};
use zwasm_terminal::path;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The module, `.wasm` or `.wat`
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ValidateOptions {
    /// The modules, `.wasm` or `.wat`
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

pub(crate) fn validate(options: &ValidateOptions) -> Outcome {
    let engine = Engine::default();
    let mut outcome = ExitCode::SUCCESS;
    for file in &options.files {
        let loaded = input::bytes(file).and_then(|bytes| Ok(Module::from_vec(&engine, bytes)?));
        if let Err(error) = loaded {
            zwasm_terminal::say(&format!("{}: {error:#}", path(file)));
            outcome = ExitCode::FAILURE;
        }
    }
    Ok(outcome)
}

pub(crate) fn inspect(options: &Options) -> Outcome {
    let engine = Engine::default();
    let module = input::module(&engine, &options.file)?;
    let stats = module.stats();
    let mut out = String::new();
    writeln!(out, "{}: {} bytes", path(&options.file), stats.wasm_bytes)?;
    writeln!(
        out,
        "functions: {} ({} bytes of code)",
        stats.functions, stats.code_section_bytes
    )?;
    writeln!(out, "data: {} bytes", stats.data_bytes)?;
    writeln!(out, "imports: {}", module.imports().len())?;
    for import in module.imports() {
        let [from, name] = [import.module, import.name].map(Printable::name);
        writeln!(out, "  {from}.{name}: {}", show(&import.ty))?;
    }
    writeln!(out, "exports: {}", module.exports().len())?;
    for export in module.exports() {
        let name = Printable::name(export.name);
        writeln!(out, "  {name}: {}", show(&export.ty))?;
    }
    zwasm_terminal::print(&out)?;
    Ok(ExitCode::SUCCESS)
}

fn show(ty: &ExternType) -> String {
    let limits = |minimum: u64, maximum: Option<u64>| match maximum {
        Some(maximum) => format!("{minimum}..{maximum}"),
        None => format!("{minimum}.."),
    };
    match ty {
        ExternType::Func(ty) => format!("function {ty}"),
        ExternType::Tag(ty) => format!("tag {ty}"),
        ExternType::Global(ty) => {
            let mutable = if ty.mutability == Mutability::Var {
                "mutable "
            } else {
                ""
            };
            format!("global {mutable}{}", ty.content)
        }
        ExternType::Memory(ty) => format!(
            "memory {}{} pages of {} bytes",
            if ty.memory64 { "64-bit, " } else { "" },
            limits(ty.minimum, ty.maximum),
            1_u32 << ty.page_size_log2
        ),
        ExternType::Table(ty) => format!(
            "table {}{} of {}",
            if ty.table64 { "64-bit, " } else { "" },
            limits(ty.minimum, ty.maximum),
            ValType::Ref(ty.element)
        ),
    }
}
