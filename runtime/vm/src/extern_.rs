//! What instances import and export.

use crate::func::Func;
use crate::global::Global;
use crate::memory::Memory;
use crate::module::ExternType;
use crate::store::{AsContext, StoreOpaque};
use crate::table::Table;
use crate::tag::Tag;

/// A thing that instances import and export.
#[derive(Clone, Copy, Debug)]
pub enum Extern {
    /// A function.
    Func(Func),
    /// A table.
    Table(Table),
    /// A memory.
    Memory(Memory),
    /// A global.
    Global(Global),
    /// An exception tag.
    Tag(Tag),
}

macro_rules! conversions {
    ($($variant:ident $method:ident $what:literal;)*) => {
        impl Extern {
            $(
                #[doc = concat!("The ", $what, ", if it is one.")]
                #[must_use]
                pub fn $method(self) -> Option<$variant> {
                    match self {
                        Extern::$variant(item) => Some(item),
                        _ => None,
                    }
                }
            )*

            /// What kind of thing this is, as an error message names it.
            pub(crate) fn kind(&self) -> &'static str {
                match self {
                    $(Extern::$variant(_) => $what,)*
                }
            }
        }
        $(
            impl From<$variant> for Extern {
                fn from(item: $variant) -> Extern {
                    Extern::$variant(item)
                }
            }
        )*
    };
}
conversions! {
    Func into_func "function";
    Table into_table "table";
    Memory into_memory "memory";
    Global into_global "global";
    Tag into_tag "tag";
}

impl Extern {
    /// The item's type.
    pub fn ty(&self, store: impl AsContext) -> ExternType {
        match self {
            Extern::Func(func) => ExternType::Func(func.ty(store)),
            Extern::Table(table) => ExternType::Table(table.ty(store)),
            Extern::Memory(memory) => ExternType::Memory(memory.ty(store)),
            Extern::Global(global) => ExternType::Global(global.ty(store)),
            Extern::Tag(tag) => ExternType::Tag(tag.ty(store)),
        }
    }

    pub(crate) fn belongs_to(&self, store: &StoreOpaque) -> bool {
        match self {
            Extern::Func(item) => item.0.belongs_to(store.id()),
            Extern::Table(item) => item.0.belongs_to(store.id()),
            Extern::Memory(item) => item.0.belongs_to(store.id()),
            Extern::Global(item) => item.0.belongs_to(store.id()),
            Extern::Tag(item) => item.0.belongs_to(store.id()),
        }
    }
}
