//! `zwasm inspect` and `zwasm validate`.

use crate::Outcome;
use anyhow::Context;
use std::path::PathBuf;
use std::process::ExitCode;
use zwasm::{Engine, ExternType, Module, Mutability, ValType};

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
        if let Err(error) = Module::from_file(&engine, file) {
            eprintln!("{}: {error}", file.display());
            outcome = ExitCode::FAILURE;
        }
    }
    Ok(outcome)
}

pub(crate) fn inspect(options: &Options) -> Outcome {
    let engine = Engine::default();
    let module = Module::from_file(&engine, &options.file)
        .with_context(|| format!("cannot load {}", options.file.display()))?;
    let stats = module.stats();
    println!("{}: {} bytes", options.file.display(), stats.wasm_bytes);
    println!(
        "functions: {} ({} bytes of code)",
        stats.functions, stats.code_section_bytes
    );
    println!("data: {} bytes", stats.data_bytes);
    println!("imports: {}", module.imports().len());
    for import in module.imports() {
        println!("  {}.{}: {}", import.module, import.name, show(&import.ty));
    }
    println!("exports: {}", module.exports().len());
    for export in module.exports() {
        println!("  {}: {}", export.name, show(&export.ty));
    }
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
