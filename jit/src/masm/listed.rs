//! Enumerations that list their values: tests go through them all, and what is printed can be read.

use zwasm_core::TrapCode;

/// A type whose values can be listed.
pub trait Listed: Sized {
    /// Each value once, in the order of the declaration.
    fn list() -> Vec<Self>;
}

/// Declares enumerations with their lists. A value has up to two parts, which are listed themselves.
macro_rules! listed {
    ($(
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $($(#[$doc:meta])* $value:ident $(($($part:ty),+))?,)+
        }
    )+) => {$(
        $(#[$meta])*
        $vis enum $name {
            $($(#[$doc])* $value $(($($part),+))?,)+
        }

        impl $crate::masm::Listed for $name {
            fn list() -> Vec<$name> {
                [$($crate::masm::listed::with_parts!($name::$value $(, $($part),+)?)),+].concat()
            }
        }
    )+};
}

/// A value with all that its parts may be.
macro_rules! with_parts {
    ($value:path) => {
        vec![$value]
    };
    ($value:path, $a:ty) => {
        <$a as $crate::masm::Listed>::list()
            .into_iter()
            .map($value)
            .collect::<Vec<_>>()
    };
    ($value:path, $a:ty, $b:ty) => {
        <$a as $crate::masm::Listed>::list()
            .into_iter()
            .flat_map(|a| {
                let all = <$b as $crate::masm::Listed>::list().into_iter();
                all.map(move |b| $value(a, b))
            })
            .collect::<Vec<_>>()
    };
}

pub(crate) use {listed, with_parts};

impl Listed for TrapCode {
    fn list() -> Vec<TrapCode> {
        TrapCode::ALL.to_vec()
    }
}

/// Numbers of lanes.
impl Listed for u8 {
    fn list() -> Vec<u8> {
        (0..16).collect()
    }
}
