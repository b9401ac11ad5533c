//! Calling an export with typed arguments from the command line.

use anyhow::{Context, bail};
use zwasm::{Instance, Ref, Store, Val, ValType};

/// Calls the export `name` with `args` and prints its results, one per line. A function without
/// parameters leaves the arguments to the guest, which finds them where `_start` would.
pub(crate) fn call<T>(
    instance: Instance,
    store: &mut Store<T>,
    name: &str,
    args: &[String],
) -> anyhow::Result<()> {
    let Some(func) = instance.get_func(&*store, name) else {
        let names: Vec<_> = instance
            .exports(&*store)
            .into_iter()
            .filter(|(_, item)| item.into_func().is_some())
            .map(|(name, _)| name)
            .collect();
        bail!(
            "no exported function '{name}' (there is: {})",
            names.join(", ")
        );
    };
    let ty = func.ty(&*store);
    if args.len() != ty.params().len() && !ty.params().is_empty() {
        bail!(
            "'{name}' takes {} arguments {ty}, got {}",
            ty.params().len(),
            args.len()
        );
    }
    let values = args
        .iter()
        .zip(ty.params())
        .enumerate()
        .map(|(i, (arg, &ty))| {
            parse(arg, ty).with_context(|| format!("argument {} of '{name}'", i + 1))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut results = vec![Val::I32(0); ty.results().len()];
    func.call(&mut *store, &values, &mut results)?;
    for result in &results {
        println!("{}", show(result));
    }
    Ok(())
}

/// A value of a type: integers in decimal or with `0x`, signed or not; floats as Rust reads them.
fn parse(text: &str, ty: ValType) -> anyhow::Result<Val> {
    let integer = || -> anyhow::Result<i128> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, text),
        };
        let parsed = match digits.strip_prefix("0x") {
            Some(hex) => i128::from_str_radix(hex, 16),
            None => digits.parse(),
        };
        Ok(sign * parsed.with_context(|| format!("'{text}' is not an integer"))?)
    };
    let out_of_range = || format!("'{text}' does not fit {ty}");
    Ok(match ty {
        ValType::I32 => {
            let value = integer()?;
            let signed = i32::try_from(value).ok();
            let unsigned = || u32::try_from(value).ok().map(|v| v as i32);
            Val::I32(signed.or_else(unsigned).with_context(out_of_range)?)
        }
        ValType::I64 => {
            let value = integer()?;
            let signed = i64::try_from(value).ok();
            let unsigned = || u64::try_from(value).ok().map(|v| v as i64);
            Val::I64(signed.or_else(unsigned).with_context(out_of_range)?)
        }
        ValType::F32 => Val::from(
            text.parse::<f32>()
                .with_context(|| format!("'{text}' is not a number"))?,
        ),
        ValType::F64 => Val::from(
            text.parse::<f64>()
                .with_context(|| format!("'{text}' is not a number"))?,
        ),
        ValType::V128 => {
            let bits = match text.strip_prefix("0x") {
                Some(hex) => u128::from_str_radix(hex, 16),
                None => text.parse(),
            };
            Val::V128(bits.with_context(|| format!("'{text}' is not a 128-bit integer"))?)
        }
        ValType::Ref(reference) if text == "null" && reference.nullable => {
            Val::Ref(Ref::null(reference.heap))
        }
        ValType::Ref(_) => bail!("values of type {ty} cannot be given (except null)"),
    })
}

fn show(value: &Val) -> String {
    match value {
        Val::I32(v) => v.to_string(),
        Val::I64(v) => v.to_string(),
        Val::F32(bits) => f32::from_bits(*bits).to_string(),
        Val::F64(bits) => f64::from_bits(*bits).to_string(),
        Val::V128(v) => format!("{v:#034x}"),
        Val::Ref(reference) if reference.is_null() => "null".to_owned(),
        Val::Ref(Ref::Func(_)) => "<function>".to_owned(),
        Val::Ref(Ref::Extern(_)) => "<host object>".to_owned(),
        Val::Ref(Ref::Exn(_)) => "<exception>".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_may_be_signed_unsigned_or_hexadecimal() {
        let i32_of = |text| parse(text, ValType::I32).map(|v| v.i32().unwrap());
        assert_eq!(i32_of("-1").unwrap(), -1);
        assert_eq!(i32_of("4294967295").unwrap(), -1);
        assert_eq!(i32_of("0xff").unwrap(), 255);
        assert_eq!(i32_of("-0x80000000").unwrap(), i32::MIN);
        assert!(i32_of("4294967296").is_err());
        assert!(i32_of("1.5").is_err());
        assert!(i32_of("").is_err());
        assert_eq!(
            parse("18446744073709551615", ValType::I64).unwrap().i64(),
            Some(-1)
        );
    }

    #[test]
    fn only_null_references_can_be_given() {
        assert!(parse("null", ValType::EXTERNREF).is_ok());
        assert!(parse("1", ValType::EXTERNREF).is_err());
    }
}
