//! Progress for people: a bar with the time left on a terminal, plain lines elsewhere.

use crate::runner::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::{Cell, RefCell};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Shows progress on stderr.
pub(crate) struct Bar {
    bar: Option<ProgressBar>,
    done: Cell<Duration>,
    total: Cell<Duration>,
    planned_at: Cell<Instant>,
    last_line: RefCell<Option<Instant>>,
}

impl Bar {
    pub(crate) fn new() -> Bar {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{bar:30} {percent:>3}%  {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Bar {
            bar,
            done: Cell::new(Duration::ZERO),
            total: Cell::new(Duration::ZERO),
            planned_at: Cell::new(Instant::now()),
            last_line: RefCell::new(None),
        }
    }

    /// A line that stays, above the bar.
    pub(crate) fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => zwasm_terminal::say(text),
        }
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// The time left, from how the plan went so far.
    fn left(&self) -> Duration {
        let (done, total) = (self.done.get(), self.total.get());
        let rest = total.saturating_sub(done);
        // Below a few seconds of experience, the plan itself is the better guess.
        if done < Duration::from_secs(3) {
            return rest;
        }
        let pace = self.planned_at.get().elapsed().as_secs_f64() / done.as_secs_f64();
        rest.mul_f64(pace)
    }
}

impl Progress for Bar {
    fn plan(&self, left: Duration) {
        if self.total.get().is_zero() {
            self.planned_at.set(Instant::now());
        }
        self.total.set(self.done.get() + left);
        if let Some(bar) = &self.bar {
            bar.set_length(self.total.get().as_millis() as u64);
        }
    }

    fn done(&self, part: Duration) {
        self.done.set(self.done.get() + part);
        if let Some(bar) = &self.bar {
            bar.set_position(self.done.get().as_millis() as u64);
        }
    }

    fn say(&self, what: &str) {
        let text = if self.total.get().is_zero() {
            what.to_owned()
        } else {
            format!("ETA {:>4} s  {what}", self.left().as_secs())
        };
        match &self.bar {
            Some(bar) => bar.set_message(text),
            None => {
                // A log file wants to see that something moves, not every step.
                let mut last = self.last_line.borrow_mut();
                if last.is_none_or(|at| at.elapsed() > Duration::from_secs(10)) {
                    zwasm_terminal::say(&text);
                    *last = Some(Instant::now());
                }
            }
        }
    }
}
