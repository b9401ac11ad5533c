//! Drawing in SVG: pixels, themed colours, text that knows its place.
//!
//! Colours are CSS variables, so that one SVG serves light and dark pages. How wide a text will be nobody
//! knows here, so everything is placed by anchors and margins instead of by measured boxes.

use super::markup::{Html, put};
use std::fmt;

/// Width of every plot, pixels.
pub(super) const WIDTH: i32 = 680;

/// A colour of the page's theme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Text,
    Muted,
    Grid,
    Band,
    Slower,
    /// The `n`-th engine; ten colours that repeat.
    Series(usize),
}

impl Ink {
    /// The CSS variable of this colour.
    pub(super) fn variable(self) -> &'static str {
        const SERIES: [&str; 10] = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"];
        match self {
            Ink::Text => "ink",
            Ink::Muted => "muted",
            Ink::Grid => "grid",
            Ink::Band => "band",
            Ink::Slower => "slower",
            Ink::Series(n) => SERIES[n % SERIES.len()],
        }
    }
}

/// Where a text lies relative to its point.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A point in pixels, from the upper left corner.
pub(super) type Point = (i32, i32);

/// A plot under construction.
pub(super) struct Canvas {
    shapes: Html,
}

/// Draws a plot of [`WIDTH`] by `height` pixels and gives its SVG element, titled for readers that
/// do not see it.
pub(super) fn svg(height: i32, title: &str, draw: impl FnOnce(&mut Canvas)) -> Html {
    let mut canvas = Canvas {
        shapes: Html::default(),
    };
    draw(&mut canvas);
    let mut out = Html::default();
    put!(
        out,
        "<svg role=\"img\" viewBox=\"0 0 {} {}\" xmlns=\"http://www.w3.org/2000/svg\">\
         <title>{}</title>\n{}</svg>\n",
        WIDTH,
        height,
        title,
        canvas.shapes
    );
    out
}

impl Canvas {
    /// Text in the middle of its line.
    pub(super) fn text(&mut self, (x, y): Point, anchor: Anchor, ink: Ink, px: f64, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        put!(
            self.shapes,
            "<text x=\"{}\" y=\"{}\" dy=\"0.5ex\" text-anchor=\"{}\" font-size=\"{}\" \
             fill=\"var(--{})\">\n{}\n</text>\n",
            x,
            y,
            anchor,
            px,
            ink.variable(),
            text
        );
    }

    pub(super) fn line(&mut self, from: Point, to: Point, ink: Ink, width: u32) {
        self.path(&[from, to], ink, width);
    }

    pub(super) fn path(&mut self, points: &[Point], ink: Ink, width: u32) {
        put!(
            self.shapes,
            "<polyline fill=\"none\" stroke=\"var(--{})\" stroke-width=\"{}\" points=\"{}\"/>\n",
            ink.variable(),
            width,
            Points(points)
        );
    }

    /// A filled rectangle between its upper left and its lower right corner.
    pub(super) fn rect(&mut self, from: Point, to: Point, ink: Ink) {
        put!(
            self.shapes,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"var(--{})\" \
             stroke=\"none\"/>\n",
            from.0,
            from.1,
            to.0 - from.0,
            to.1 - from.1,
            ink.variable()
        );
    }

    /// A filled area through which the grid is seen.
    pub(super) fn band(&mut self, points: &[Point], ink: Ink) {
        put!(
            self.shapes,
            "<polygon opacity=\"0.25\" fill=\"var(--{})\" points=\"{}\"/>\n",
            ink.variable(),
            Points(points)
        );
    }

    pub(super) fn dot(&mut self, (x, y): Point, radius: i32, ink: Ink) {
        put!(
            self.shapes,
            "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"var(--{})\" stroke=\"none\" \
             stroke-width=\"1\"/>\n",
            x,
            y,
            radius,
            ink.variable()
        );
    }
}

/// Points as SVG lists them.
struct Points<'a>(&'a [Point]);

impl fmt::Display for Points<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(x, y)| write!(f, "{x},{y} "))
    }
}

/// A logarithmic axis between two pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogAxis {
    lo: f64,
    hi: f64,
    from: i32,
    to: i32,
}

impl LogAxis {
    /// An axis that holds all finite positive values with a little room at both ends.
    pub(super) fn over(values: impl IntoIterator<Item = f64>, from: i32, to: i32) -> LogAxis {
        let (mut lo, mut hi) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            if value.is_finite() && value > 0.0 {
                lo = lo.min(value.ln());
                hi = hi.max(value.ln());
            }
        }
        if lo > hi {
            (lo, hi) = (0.0, 0.0);
        }
        let room = ((hi - lo) * 0.06).max(0.03);
        LogAxis {
            lo: lo - room,
            hi: hi + room,
            from,
            to,
        }
    }

    /// The logarithms of both ends, for a script that places values itself.
    pub(super) fn ends(&self) -> [f64; 2] {
        [self.lo, self.hi]
    }

    /// The pixel of a value, clamped to the axis.
    pub(super) fn at(&self, value: f64) -> i32 {
        let share = ((value.ln() - self.lo) / (self.hi - self.lo)).clamp(0.0, 1.0);
        (f64::from(self.from) + share * f64::from(self.to - self.from)).round() as i32
    }

    /// Round values on the axis, at least `apart` pixels from each other.
    pub(super) fn ticks(&self, apart: i32) -> Vec<f64> {
        // Wide axes show powers of ten, narrow ones ever finer steps; the first kind of step that
        // gives three ticks is used, else the finest.
        let (lo, hi) = (self.lo.exp(), self.hi.exp());
        let mut best = Vec::new();
        for steps in [
            &[1.0][..],
            &[1.0, 2.0, 5.0],
            &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0],
            &[
                1.0, 1.1, 1.2, 1.3, 1.5, 1.7, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0,
            ],
        ] {
            let mut ticks: Vec<f64> = Vec::new();
            for power in (lo.log10().floor() as i32)..=(hi.log10().ceil() as i32) {
                for step in steps {
                    let value = step * 10f64.powi(power);
                    let far = |t: &f64| (self.at(*t) - self.at(value)).abs() >= apart;
                    if (lo..=hi).contains(&value) && ticks.iter().all(far) {
                        ticks.push(value);
                    }
                }
            }
            if ticks.len() > best.len() {
                best = ticks;
            }
            if best.len() >= 4 {
                break;
            }
        }
        best
    }
}

/// A text cut to about `chars` characters.
pub(super) fn shorten(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(chars.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_apart() {
        let axis = LogAxis::over([0.5, 20.0], 0, 400);
        let ticks = axis.ticks(30);
        assert!(ticks.contains(&1.0) && ticks.contains(&10.0), "{ticks:?}");
        for pair in ticks.windows(2) {
            assert!(axis.at(pair[1]) - axis.at(pair[0]) >= 30, "{ticks:?}");
        }
        let narrow = LogAxis::over([0.97, 1.2], 0, 400);
        assert!(narrow.ticks(30).len() >= 2);
        // No values at all still make an axis.
        assert_eq!(LogAxis::over([], 0, 100).at(1.0), 50);
    }

    #[test]
    fn a_plot_is_one_element_with_a_title() {
        let plot = svg(20, "a < b", |c| {
            c.line((0, 0), (5, 5), Ink::Series(11), 1);
            c.text((1, 2), Anchor::End, Ink::Muted, 11.0, "<i>");
        });
        assert_eq!(
            plot.into_text(),
            "<svg role=\"img\" viewBox=\"0 0 680 20\" xmlns=\"http://www.w3.org/2000/svg\">\
             <title>a &lt; b</title>\n\
             <polyline fill=\"none\" stroke=\"var(--s1)\" stroke-width=\"1\" points=\"0,0 5,5 \"/>\n\
             <text x=\"1\" y=\"2\" dy=\"0.5ex\" text-anchor=\"end\" font-size=\"11\" \
             fill=\"var(--muted)\">\n&lt;i&gt;\n</text>\n</svg>\n"
        );
    }
}
