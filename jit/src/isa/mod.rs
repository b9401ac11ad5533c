//! The instruction sets. Each folder mirrors the other file for file.
