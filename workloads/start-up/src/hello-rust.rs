//! Start-up case: one formatted line from Rust, with its standard library.

use bench::{mix_bytes, Workload};
use std::fmt::Write as _;

struct Hello {
    line: String,
}

impl Workload for Hello {
    fn setup(_small: bool) -> Hello {
        Hello { line: String::new() }
    }

    fn kernel(&mut self) -> u64 {
        self.line.clear();
        let _ = write!(self.line, "Hello, {}! {} + {} = {}", "World", 2, 3, 2 + 3);
        mix_bytes(0, self.line.as_bytes())
    }

    fn report(&self, out: &mut String) {
        let _ = writeln!(out, "{}", self.line);
    }
}

fn main() {
    bench::main::<Hello>();
}
