//! Times every tier on functions of many shapes, and on ones sixteen times as large: fails when one
//! takes more than 24 times as long.

#![forbid(unsafe_code)]

use anyhow::{Result, bail};
use clap::Parser;
use zwasm_diff::growth::SHAPES;
use zwasm_diff::growth::measure::{FACTOR, RATIO_MAX, Stage, growth, passes};

/// Checks that compile time grows with the size of functions.
#[derive(Parser)]
struct Options {
    /// Bytes of the smaller bodies; the larger ones have sixteen times as many.
    #[arg(long, default_value_t = 50_000)]
    bytes: usize,
    /// Only shapes whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Only this stage: load, interp, baseline or opt.
    #[arg(long)]
    stage: Option<String>,
    /// Says what each pass of the optimizing tier takes for the two sizes, and checks nothing.
    #[arg(long)]
    passes: bool,
    /// Writes the modules of the larger size there, and measures nothing.
    #[arg(long)]
    emit: Option<std::path::PathBuf>,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let is_meant = |name: &str| {
        options
            .only
            .as_deref()
            .is_none_or(|only| name.contains(only))
    };
    let shapes = SHAPES.iter().filter(|shape| is_meant(shape.name));
    if let Some(directory) = &options.emit {
        std::fs::create_dir_all(directory)?;
        for shape in shapes {
            let name = shape.name.replace([' ', ','], "-");
            let module = shape.module(FACTOR * options.bytes);
            std::fs::write(directory.join(format!("{name}.wasm")), module)?;
        }
        return Ok(());
    }
    if options.passes {
        for shape in shapes {
            for factor in [1, FACTOR] {
                println!("{}, {} bytes", shape.name, factor * options.bytes);
                for (name, runs, ms) in passes(&shape.module(factor * options.bytes))? {
                    println!("  {name:30} {runs:6} {ms:10.2} ms");
                }
            }
        }
        return Ok(());
    }
    let stages = Stage::all().into_iter();
    let is_asked = |stage: &Stage| {
        options
            .stage
            .as_deref()
            .is_none_or(|one| one == stage.name())
    };
    let stages: Vec<Stage> = stages.filter(is_asked).collect();
    println!(
        "{:42} {:9} {:>10} {:>10} {:>6}",
        "shape", "stage", "ms", "ms, 16x", "ratio"
    );
    let mut too_long = 0;
    for shape in shapes {
        for &stage in &stages {
            let growth = growth(shape, stage, options.bytes)?;
            let ms = |time: std::time::Duration| time.as_secs_f64() * 1e3;
            let is_over = growth.ratio > RATIO_MAX;
            too_long += u32::from(is_over);
            println!(
                "{:42} {:9} {:10.2} {:10.2} {:6.1}{}",
                shape.name,
                stage.name(),
                ms(growth.small),
                ms(growth.large),
                growth.ratio,
                if is_over { " TOO LONG" } else { "" }
            );
        }
    }
    if too_long > 0 {
        bail!("{too_long} take more than {RATIO_MAX} times as long for {FACTOR} times as much");
    }
    Ok(())
}
