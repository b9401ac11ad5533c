//! Limits of functions.
