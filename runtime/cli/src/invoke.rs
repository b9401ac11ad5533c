//! Calling an export with typed arguments from the command line.

use anyhow::{Context, bail};
use std::fmt::Write;
use wast::parser::{self, ParseBuffer};
use wast::token::{F32, F64};
use zwasm::{Instance, Printable, Ref, Store, Val, ValType};

/// Calls the export `name` with `args` and prints its results, one per line. A function without
/// parameters leaves the arguments to the guest, which finds them where `_start` would.
pub(crate) fn call<T>(
    instance: Instance,
    store: &mut Store<T>,
    name: &str,
    args: &[&str],
) -> anyhow::Result<()> {
    let shown = Printable::name(name);
    let Some(func) = instance.get_func(&*store, name) else {
        let names: Vec<_> = instance
            .exports(&*store)
            .into_iter()
            .filter(|(_, item)| item.into_func().is_some())
            .map(|(name, _)| Printable::name(&name).to_string())
            .collect();
        bail!(
            "no exported function '{shown}' (there is: {})",
            names.join(", ")
        );
    };
    let ty = func.ty(&*store);
    if args.len() != ty.params().len() && !ty.params().is_empty() {
        bail!(
            "'{shown}' takes {} arguments {ty}, got {}",
            ty.params().len(),
            args.len()
        );
    }
    let values = args
        .iter()
        .zip(ty.params())
        .enumerate()
        .map(|(i, (arg, &ty))| {
            parse(arg, ty).with_context(|| format!("argument {} of '{shown}'", i + 1))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut results = vec![Val::I32(0); ty.results().len()];
    func.call(&mut *store, &values, &mut results)?;
    let mut out = String::new();
    for result in &results {
        writeln!(out, "{}", show(result))?;
    }
    zwasm_terminal::print(&out)?;
    Ok(())
}

/// A value of a type: integers in decimal or with `0x`, floats in the forms of the text format and
/// of Rust, each with at most one sign in front.
fn parse(text: &str, ty: ValType) -> anyhow::Result<Val> {
    let shown = Printable::name(text);
    let not_a_number = || format!("'{shown}' is not a number");
    Ok(match ty {
        ValType::I32 => {
            let value = integer(text, ty)?;
            let signed = i32::try_from(value).ok();
            let unsigned = || u32::try_from(value).ok().map(|v| v as i32);
            Val::I32(
                signed
                    .or_else(unsigned)
                    .with_context(|| too_large(text, ty))?,
            )
        }
        ValType::I64 => {
            let value = integer(text, ty)?;
            let signed = i64::try_from(value).ok();
            let unsigned = || u64::try_from(value).ok().map(|v| v as i64);
            Val::I64(
                signed
                    .or_else(unsigned)
                    .with_context(|| too_large(text, ty))?,
            )
        }
        ValType::F32 => {
            let wat = float(text, |F32 { bits, .. }| bits);
            let bits = wat.or_else(|| Some(text.parse::<f32>().ok()?.to_bits()));
            Val::F32(bits.with_context(not_a_number)?)
        }
        ValType::F64 => {
            let wat = float(text, |F64 { bits, .. }| bits);
            let bits = wat.or_else(|| Some(text.parse::<f64>().ok()?.to_bits()));
            Val::F64(bits.with_context(not_a_number)?)
        }
        ValType::V128 => {
            let bits =
                magnitude(text).with_context(|| format!("'{shown}' is not a 128-bit integer"))?;
            Val::V128(bits.with_context(|| too_large(text, ty))?)
        }
        ValType::Ref(reference) if text == "null" && reference.nullable => {
            Val::Ref(Ref::null(reference.heap))
        }
        ValType::Ref(_) => bail!("values of type {ty} cannot be given (except null)"),
    })
}

fn too_large(text: &str, ty: ValType) -> String {
    format!("'{}' does not fit {ty}", Printable::name(text))
}

/// An integer with at most one sign.
fn integer(text: &str, ty: ValType) -> anyhow::Result<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let magnitude = magnitude(digits)
        .with_context(|| format!("'{}' is not an integer", Printable::name(text)))?;
    let fitting = magnitude.and_then(|magnitude| i128::try_from(magnitude).ok());
    Ok(sign * fitting.with_context(|| too_large(text, ty))?)
}

/// Nothing but digits, in decimal or behind `0x` in hexadecimal, perhaps with `_` between them. The
/// standard library's parsers would take another sign. Inside: nothing if it is too large.
fn magnitude(text: &str) -> Option<Option<u128>> {
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let (digits, radix) = match hexadecimal {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    let is_group = |group: &str| !group.is_empty() && group.chars().all(|c| c.is_digit(radix));
    if !digits.split('_').all(is_group) {
        return None;
    }
    Some(u128::from_str_radix(&digits.replace('_', ""), radix).ok())
}

/// A float as the text format writes it: hexadecimal ones and chosen NaNs, too.
fn float<T: for<'a> parser::Parse<'a>, B>(text: &str, bits: fn(T) -> B) -> Option<B> {
    // One number and nothing else that the format would pass over.
    let is_number = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | ':' | '_');
    if !text.chars().all(is_number) {
        return None;
    }
    let buffer = ParseBuffer::new(text).ok()?;
    parser::parse::<T>(&buffer).ok().map(bits)
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
        for text in [
            "", "+", "-", "--5", "-+5", "+-5", "++5", "0x", "0x-5", "0x+5", "-0x-5", "0x0x5", "x5",
            "5 ", " 5", "5_", "_5", "5__0", "0b1", "1e3", "\u{665}",
        ] {
            let error = i32_of(text).unwrap_err().to_string();
            assert_eq!(error, format!("'{text}' is not an integer"));
        }
        for (text, value) in [
            ("+5", 5),
            ("+0x5", 5),
            ("-0XfF", -255),
            ("1_000", 1000),
            ("0x7fff_ffff", i32::MAX),
            ("-2147483648", i32::MIN),
            ("0xffffffff", -1),
            ("-0", 0),
            ("007", 7),
        ] {
            assert_eq!(i32_of(text).unwrap(), value, "{text}");
        }
        let huge = "9".repeat(100);
        for text in ["-2147483649", "0x100000000", &huge, &format!("-{huge}")] {
            let error = i32_of(text).unwrap_err().to_string();
            assert_eq!(error, format!("'{text}' does not fit i32"));
        }
        assert_eq!(
            parse("18446744073709551615", ValType::I64).unwrap().i64(),
            Some(-1)
        );
    }

    #[test]
    fn floats_are_read_as_the_text_format_and_as_rust_write_them() {
        for (text, bits) in [
            ("1.5", 0x3fc0_0000_u32),
            ("+1.5", 0x3fc0_0000),
            ("-0", 0x8000_0000),
            ("1e3", 0x447a_0000),
            (".5", 0x3f00_0000),
            ("5.", 0x40a0_0000),
            ("0x1.8p1", 0x4040_0000),
            ("-0x10", 0xc180_0000),
            ("inf", 0x7f80_0000),
            ("-inf", 0xff80_0000),
            ("-infinity", 0xff80_0000),
            ("nan", 0x7fc0_0000),
            ("NaN", 0x7fc0_0000),
            ("-nan", 0xffc0_0000),
            ("nan:0x1", 0x7f80_0001),
            ("0x1.000001p0", 0x3f80_0000),
            ("0x1.000003p0", 0x3f80_0002),
        ] {
            let Val::F32(found) = parse(text, ValType::F32).unwrap() else {
                panic!("{text}");
            };
            assert_eq!(found, bits, "{text}: {found:#x}");
            assert!(parse(text, ValType::F64).is_ok(), "{text}");
        }
        for text in [
            "", "-", "--5", "-+5", "0x", "0x-5", "1 2", "1;;", "(1)", "x", "nan:", "nan:0x-1",
            "1e", "e1",
        ] {
            for ty in [ValType::F32, ValType::F64] {
                let error = parse(text, ty).unwrap_err().to_string();
                assert_eq!(error, format!("'{text}' is not a number"));
            }
        }
    }

    #[test]
    fn vectors_have_no_sign() {
        let max = "0xffffffffffffffffffffffffffffffff";
        assert_eq!(parse(max, ValType::V128).unwrap().v128(), Some(u128::MAX));
        for text in ["-1", "+1", "0x-1", "0x+1", ""] {
            assert!(parse(text, ValType::V128).is_err(), "{text}");
        }
        let error = parse(&format!("{max}0"), ValType::V128).unwrap_err();
        assert!(error.to_string().contains("does not fit v128"));
    }

    #[test]
    fn only_null_references_can_be_given() {
        assert!(parse("null", ValType::EXTERNREF).is_ok());
        assert!(parse("1", ValType::EXTERNREF).is_err());
    }
}
