//! Results of a comparison: their format, their statistics, and how they are shown.
//!
//! [`schema`] is the one measurement type that the recorder writes and everything else reads;
//! [`stats`] is pure arithmetic; [`analysis`] derives gaps and verdicts; [`text`] prints them.
//! This crate starts no processes and knows no engine; it uses no other crate of the project.
#![forbid(unsafe_code)]

pub mod agreement;
pub mod analysis;
pub mod arm64;
pub mod code;
mod duet;
pub mod flame;
pub mod history;
pub mod html;
pub mod rerun;
pub mod schema;
pub mod stats;
pub mod text;
pub mod work;
