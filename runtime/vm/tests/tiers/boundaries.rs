//! Boundaries.
