//! Shared vocabulary of every zwasm tier: types, numeric semantics, VM-context layout, trap codes.
