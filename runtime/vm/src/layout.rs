//! The structures of `zwasm_core::vmctx` as Rust types.

/// Declares a structure that [`zwasm_core::vm_layout`] lists, and compares it with the offsets that
/// compilers use.
macro_rules! declare {
    ($module:ident $name:ident { $($(#[$doc:meta])* $field:ident: $ty:ty,)* }) => {
        #[doc = concat!("Of `zwasm_core::vmctx::", stringify!($module), "`.")]
        #[repr(C)]
        #[derive(Debug)]
        pub(crate) struct $name {
            $($(#[$doc])* pub(crate) $field: $ty,)*
        }

        $(const _: () = assert!(
            core::mem::offset_of!($name, $field) == zwasm_core::vmctx::$module::offset::$field as usize
        );)*
        const _: () = assert!(size_of::<$name>() == zwasm_core::vmctx::$module::SIZE as usize);
    };
}
pub(crate) use declare;
