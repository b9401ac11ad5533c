//! The plots of the page, each a function from data to one SVG element.

use super::canvas::{Anchor, Canvas, Ink, LogAxis, Point, WIDTH, shorten, svg};
use super::markup::Html;
use crate::history::Record;
use crate::schema::Floor;
use crate::stats::{self, Estimate};
use crate::text;

const ROW: i32 = 22;
const FONT: f64 = 12.0;
/// Room for names on the left and values on the right.
const LEFT: i32 = 150;
const RIGHT: i32 = WIDTH - 150;

/// Vertical grid lines with labels at the top, and the line at 1.
fn ratio_grid(c: &mut Canvas, axis: &LogAxis, top: i32, bottom: i32) {
    for tick in axis.ticks(44) {
        let x = axis.at(tick);
        c.line((x, top), (x, bottom), Ink::Grid, 1);
        c.text(
            (x, top - 10),
            Anchor::Middle,
            Ink::Muted,
            11.0,
            &format!("{}×", tick_text(tick)),
        );
    }
    c.line((axis.at(1.0), top), (axis.at(1.0), bottom), Ink::Text, 1);
}

pub(super) fn tick_text(value: f64) -> String {
    if value >= 10.0 {
        format!("{value:.0}")
    } else {
        let text = format!("{value:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

/// One step of the tier ladder.
pub(super) struct Step {
    pub(super) name: String,
    pub(super) ratio: stats::Estimate,
    pub(super) series: usize,
}

/// The tier ladder: every engine relative to one reference, with whiskers on a log axis.
pub(super) fn ladder(steps: &[Step], what: &str, reference: &str) -> Html {
    let top = 24;
    let bottom = top + steps.len() as i32 * ROW + 4;
    let values = steps
        .iter()
        .flat_map(|step| [step.ratio.value, step.ratio.lo, step.ratio.hi]);
    let axis = LogAxis::over(values.chain([1.0]), LEFT, RIGHT);
    let title = format!("{what} relative to {reference}, by engine");
    svg(bottom + 6, &title, |c| {
        ratio_grid(c, &axis, top, bottom);
        for (i, step) in steps.iter().enumerate() {
            let y = top + i as i32 * ROW + ROW / 2;
            let name = shorten(&step.name, 20);
            c.text((LEFT - 10, y), Anchor::End, Ink::Text, FONT, &name);
            let ink = Ink::Series(step.series);
            let [middle, lo, hi] =
                [step.ratio.value, step.ratio.lo, step.ratio.hi].map(|v| axis.at(v));
            c.line((axis.at(1.0), y), (middle, y), ink, 5);
            c.line((lo, y), (hi, y), ink, 2);
            for end in [lo, hi] {
                c.line((end, y - 4), (end, y + 4), ink, 2);
            }
            c.dot((middle, y), 5, ink);
            let label = format!("{}×", text::ratio(step.ratio.value));
            c.text((RIGHT + 12, y), Anchor::Start, ink, FONT, &label);
        }
    })
}

/// Steady time against setup time, both relative to the reference; lower left is better.
pub(super) fn pareto(points: &[(String, f64, f64, usize)], x_name: &str, reference: &str) -> Html {
    let (top, bottom, left, right) = (16, 300, 60, WIDTH - 40);
    let x_axis = LogAxis::over(points.iter().map(|p| p.1).chain([1.0]), left, right);
    let y_axis = LogAxis::over(points.iter().map(|p| p.2).chain([1.0]), bottom, top);
    let title = format!("{x_name} against steady time, relative to {reference}");
    svg(bottom + 46, &title, |c| {
        for tick in x_axis.ticks(48) {
            let x = x_axis.at(tick);
            c.line((x, top), (x, bottom), Ink::Grid, 1);
            let label = format!("{}×", tick_text(tick));
            c.text((x, bottom + 12), Anchor::Middle, Ink::Muted, 11.0, &label);
        }
        for tick in y_axis.ticks(28) {
            let y = y_axis.at(tick);
            c.line((left, y), (right, y), Ink::Grid, 1);
            c.text(
                (left - 8, y),
                Anchor::End,
                Ink::Muted,
                11.0,
                &format!("{}×", tick_text(tick)),
            );
        }
        let name = format!("{x_name} ÷ {reference}'s →");
        c.text((right, bottom + 34), Anchor::End, Ink::Text, FONT, &name);
        c.text(
            (left, bottom + 34),
            Anchor::Start,
            Ink::Text,
            FONT,
            "↑ steady time",
        );
        let mut boxes: Vec<[i32; 4]> = points
            .iter()
            .map(|p| (x_axis.at(p.1), y_axis.at(p.2)))
            .map(|(x, y)| [x - 7, y - 7, x + 7, y + 7])
            .collect();
        for (i, point) in points.iter().enumerate() {
            let at = (x_axis.at(point.1), y_axis.at(point.2));
            c.dot(at, 6, Ink::Series(point.3));
            let width = point.0.chars().count() as i32 * 8;
            // The first place beside the point that is free of other points and labels.
            let places = [
                (12, 0),
                (-12 - width, 0),
                (-width / 2, -18),
                (-width / 2, 18),
            ];
            let far = (1..6).flat_map(|k| [(12, -18 * k), (12, 18 * k)]);
            let free = places.into_iter().chain(far).find_map(|(dx, dy)| {
                let (x, y) = (at.0 + dx, at.1 + dy);
                let own = [x, y - 9, x + width, y + 9];
                let inside = x >= left && x + width <= right && y - 9 >= 0 && y + 9 <= bottom;
                let clear = boxes
                    .iter()
                    .enumerate()
                    .all(|(j, b)| j == i || !overlap(&own, b));
                (inside && clear).then_some((x, y, own))
            });
            if let Some((x, y, own)) = free {
                boxes.push(own);
                c.text((x, y), Anchor::Start, Ink::Text, FONT, &point.0);
            }
        }
    })
}

fn overlap(a: &[i32; 4], b: &[i32; 4]) -> bool {
    a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]
}

/// One bar group of the phases plot.
pub(super) struct PhaseRow {
    pub(super) engine: String,
    /// Of each phase, one after the other.
    pub(super) parts_ns: [f64; 3],
}

/// Inks of phases, in the order of a row's parts.
pub(super) const PHASE_INKS: [Ink; 3] = [Ink::Series(0), Ink::Series(2), Ink::Series(4)];

/// Stacked bars of where the time to the first result goes.
pub(super) fn phases(rows: &[PhaseRow]) -> Html {
    let total = |r: &PhaseRow| r.parts_ns.iter().sum::<f64>();
    let longest = rows.iter().map(total).fold(1.0, f64::max);
    let scale = f64::from(RIGHT - LEFT) / longest;
    svg(
        rows.len() as i32 * 30 + 12,
        "time to the first result by phase",
        |c| {
            for (i, row) in rows.iter().enumerate() {
                let y = 6 + i as i32 * 30;
                c.text(
                    (LEFT - 10, y + 11),
                    Anchor::End,
                    Ink::Text,
                    FONT,
                    &shorten(&row.engine, 20),
                );
                let mut x = f64::from(LEFT);
                for (ns, ink) in row.parts_ns.into_iter().zip(PHASE_INKS) {
                    let end = x + ns * scale;
                    c.rect((x.round() as i32, y), (end.round() as i32, y + 22), ink);
                    x = end;
                }
                let label = text::duration(total(row));
                c.text(
                    (x as i32 + 8, y + 11),
                    Anchor::Start,
                    Ink::Text,
                    FONT,
                    &label,
                );
            }
        },
    )
}

/// The A/A strip: every control block as a dot, one line per metric, the floor as a band.
pub(super) fn control(rows: &[(&Floor, Vec<f64>)]) -> Html {
    let top = 24;
    let line = 34;
    let bottom = top + rows.len() as i32 * line;
    let values = rows.iter().flat_map(|(floor, gaps)| {
        gaps.iter()
            .copied()
            .map(f64::exp)
            .chain([floor.floor.exp(), (-floor.floor).exp()])
    });
    let axis = LogAxis::over(values, LEFT, RIGHT);
    svg(
        bottom + 6,
        "A/A control: the same binary against itself",
        |c| {
            for (i, (floor, _)) in rows.iter().enumerate() {
                let y = top + i as i32 * line;
                let (from, to) = (axis.at((-floor.floor).exp()), axis.at(floor.floor.exp()));
                c.rect((from, y + 3), (to, y + line - 3), Ink::Band);
            }
            ratio_grid(c, &axis, top, bottom);
            for (i, (floor, gaps)) in rows.iter().enumerate() {
                let y = top + i as i32 * line + line / 2;
                c.text(
                    (LEFT - 10, y),
                    Anchor::End,
                    Ink::Text,
                    FONT,
                    floor.metric.title(),
                );
                for (j, gap) in gaps.iter().enumerate() {
                    // Neighbours on different heights, so that they do not hide each other.
                    let jitter = (j as i32 * 5) % 17 - 8;
                    c.dot((axis.at(gap.exp()), y + jitter), 2, Ink::Series(0));
                }
                let (ink, word) = if floor.failed {
                    (Ink::Slower, "failed")
                } else {
                    (Ink::Text, "ok")
                };
                let label = format!("F = {:.1} % {word}", floor.floor * 100.0);
                c.text((RIGHT + 12, y), Anchor::Start, ink, FONT, &label);
            }
        },
    )
}

/// History of one tier ÷ peer: ratio with interval band over records, oldest left.
pub(super) fn history(title: &str, points: &[(&Record, Estimate)]) -> Html {
    let (top, bottom, left, right) = (12, 190, 70, WIDTH - 20);
    let values = points
        .iter()
        .flat_map(|p| [p.1.value, p.1.lo, p.1.hi])
        .chain([1.0]);
    let axis = LogAxis::over(values, bottom, top);
    svg(bottom + 28, title, |c| {
        for tick in axis.ticks(24) {
            let y = axis.at(tick);
            c.line((left, y), (right, y), Ink::Grid, 1);
            c.text(
                (left - 8, y),
                Anchor::End,
                Ink::Muted,
                11.0,
                &format!("{}×", tick_text(tick)),
            );
        }
        c.line((left, axis.at(1.0)), (right, axis.at(1.0)), Ink::Text, 1);
        let last = points.len().max(2) as i32 - 1;
        let x = |i: usize| left + 10 + i as i32 * (right - left - 20) / last;
        let upper = points
            .iter()
            .enumerate()
            .map(|(i, p)| (x(i), axis.at(p.1.hi)));
        let lower = points
            .iter()
            .enumerate()
            .rev()
            .map(|(i, p)| (x(i), axis.at(p.1.lo)));
        if points.len() > 1 {
            let outline: Vec<Point> = upper.chain(lower).collect();
            c.band(&outline, Ink::Series(0));
        }
        let middle: Vec<Point> = points
            .iter()
            .enumerate()
            .map(|(i, p)| (x(i), axis.at(p.1.value)))
            .collect();
        for &at in &middle {
            c.dot(at, 4, Ink::Series(0));
        }
        c.path(&middle, Ink::Series(0), 2);
        // Commits under the axis where there is room for them.
        let every = (points.len() as i32 * 76 / (right - left) + 1) as usize;
        for (i, point) in points.iter().enumerate().step_by(every) {
            let commit: String = point.0.commit.hash.chars().take(8).collect();
            let anchor = if i == 0 { Anchor::Start } else { Anchor::End };
            let fits = i == 0 || x(i) - left > 150;
            if fits {
                c.text((x(i), bottom + 16), anchor, Ink::Muted, 11.0, &commit);
            }
        }
    })
}
