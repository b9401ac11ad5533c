//! A thin layer over plotters' SVG backend: pixels, themed colours, text that knows its place.
//!
//! plotters writes literal colours; ours are placeholders that become CSS variables, so that one
//! SVG serves light and dark pages. It also guesses text widths, so everything here is placed by
//! anchors and margins instead of by measured boxes.

use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBColor, ShapeStyle, TextStyle};

/// Width of every plot, pixels.
pub(super) const WIDTH: i32 = 680;

/// A colour of the page's theme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Text,
    Muted,
    Grid,
    Band,
    Faster,
    Equal,
    Small,
    Slower,
    Unsure,
    /// The `n`-th engine; eight colours that repeat.
    Series(usize),
}

/// CSS variables, in the order of the placeholders `#0100NN`.
const VARIABLES: [&str; 17] = [
    "ink", "muted", "grid", "band", "faster", "equal", "small", "slower", "unsure", "s0", "s1",
    "s2", "s3", "s4", "s5", "s6", "s7",
];

impl Ink {
    fn index(self) -> usize {
        match self {
            Ink::Text => 0,
            Ink::Muted => 1,
            Ink::Grid => 2,
            Ink::Band => 3,
            Ink::Faster => 4,
            Ink::Equal => 5,
            Ink::Small => 6,
            Ink::Slower => 7,
            Ink::Unsure => 8,
            Ink::Series(n) => 9 + n % 8,
        }
    }

    fn placeholder(self) -> RGBColor {
        RGBColor(1, 0, self.index() as u8)
    }

    /// The CSS variable of this colour.
    pub(super) fn variable(self) -> &'static str {
        VARIABLES[self.index()]
    }
}

/// Where a text lies relative to its point.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A plot under construction.
pub(super) struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

/// Draws a plot of [`WIDTH`] by `height` pixels and gives its SVG element, titled for readers that
/// do not see it.
pub(super) fn svg(height: i32, title: &str, draw: impl FnOnce(&Canvas<'_>)) -> String {
    let mut text = String::new();
    {
        let size = (WIDTH as u32, height.max(1) as u32);
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        draw(&Canvas { area });
    }
    for (index, name) in VARIABLES.iter().enumerate() {
        text = text.replace(
            &format!("\"#0100{index:02X}\""),
            &format!("\"var(--{name})\""),
        );
    }
    // The header is ours: no fixed size, and a title.
    let body = text.split_once('>').map_or("", |(_, rest)| rest);
    let body = body
        .replace("font-family=\"sans-serif\" ", "")
        .replace(" opacity=\"1\"", "");
    format!(
        "<svg role=\"img\" viewBox=\"0 0 {WIDTH} {height}\" xmlns=\"http://www.w3.org/2000/svg\">\
         <title>{}</title>{body}",
        super::escape(title)
    )
}

/// Drawing into a string cannot fail.
const INFALLIBLE: &str = "drawing into a string cannot fail";

impl Canvas<'_> {
    pub(super) fn text(&self, x: i32, y: i32, anchor: Anchor, ink: Ink, px: f64, text: &str) {
        let h_pos = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        // plotters writes font sizes divided by 1.24.
        let color = ink.placeholder();
        let style = TextStyle::from(("sans-serif", px * 1.24).into_font())
            .color(&color)
            .pos(Pos::new(h_pos, VPos::Center));
        self.area
            .draw(&Text::new(text.to_owned(), (x, y), style))
            .expect(INFALLIBLE);
    }

    pub(super) fn line(&self, from: (i32, i32), to: (i32, i32), ink: Ink, width: u32) {
        self.path(vec![from, to], ink, width);
    }

    pub(super) fn path(&self, points: Vec<(i32, i32)>, ink: Ink, width: u32) {
        let style = ink.placeholder().stroke_width(width);
        self.area
            .draw(&PathElement::new(points, style))
            .expect(INFALLIBLE);
    }

    pub(super) fn rect(&self, from: (i32, i32), to: (i32, i32), ink: Ink) {
        let style: ShapeStyle = ink.placeholder().filled();
        self.area
            .draw(&Rectangle::new([from, to], style))
            .expect(INFALLIBLE);
    }

    pub(super) fn polygon(&self, points: Vec<(i32, i32)>, ink: Ink, opacity: f64) {
        let style = ink.placeholder().mix(opacity).filled();
        self.area
            .draw(&Polygon::new(points, style))
            .expect(INFALLIBLE);
    }

    pub(super) fn dot(&self, at: (i32, i32), radius: i32, ink: Ink, filled: bool) {
        let style = if filled {
            ink.placeholder().filled()
        } else {
            ink.placeholder().stroke_width(2)
        };
        self.area
            .draw(&Circle::new(at, radius, style))
            .expect(INFALLIBLE);
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
    fn colours_become_variables() {
        let text = svg(20, "a < b", |c| c.line((0, 0), (5, 5), Ink::Series(9), 1));
        assert!(
            text.contains("var(--s1)") && text.contains("a &lt; b"),
            "{text}"
        );
        assert!(!text.contains("#0100"), "{text}");
        assert_eq!(text.matches("<svg").count(), text.matches("</svg>").count());
    }
}
