//! The benchmark corpus: sources, modules, manifest, expected outputs.
