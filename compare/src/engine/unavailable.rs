//! Engines that people ask for and that cannot be had from the package registries, with the reason for each.
//!
//! Whoever has one of them can name it in a file (`--peers FILE`). What is said here was tried, at the versions
//! named.

/// Name and reason.
pub(crate) const UNAVAILABLE: [(&str, &str); 4] = [
    (
        "wamr",
        "no registry has its sources or its command as they are today: the crate wamr-sys 0.1.1 holds sources of \
         2021, which refuse the indirect calls that linkers write now (7 of 56 workloads run), and the Python \
         package wamr-bin 3.0.0.dev5 is a third party's port that declares itself deprecated (41 of 56; among \
         the others are traps and hangs)",
    ),
    (
        "wasmer",
        "no registry has its command; the crate wasmer-cli builds from some 600 others, which were not done \
         after an hour beside other work on two processors, so it is not installed by itself (7.5.0 needs Rust 1.96, 7.4.2 was \
         not built to the end); the Python packages of 1.1.0 are of 2022",
    ),
    (
        "wasmer-llvm",
        "as wasmer; besides it links LLVM 22, which Debian's llvm-22-dev has",
    ),
    (
        "wasmedge",
        "the crate wasmedge-sys 0.19 downloads the library from elsewhere, and the Python package wasmedge 0.0.1 \
         is empty",
    ),
];

/// Why an engine of this name cannot be had.
pub(crate) fn why(name: &str) -> Option<&'static str> {
    let known = UNAVAILABLE
        .iter()
        .find(|(unavailable, _)| *unavailable == name);
    known.map(|(_, why)| *why)
}
