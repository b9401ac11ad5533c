//! Virtual calls through trait objects: a scene of boxed shapes of six kinds in random order is
//! measured, grown and collided again and again. Every step is an indirect call whose target the
//! engine cannot predict from the call site, through vtables that LLVM lays out in the table.

use bench::{mix, Rng, Workload};
use std::fmt::Write;

#[derive(Clone, Copy)]
struct Bounds {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Bounds {
    fn overlaps(&self, other: &Bounds) -> bool {
        self.left < other.right && other.left < self.right && self.top < other.bottom && other.top < self.bottom
    }
}

trait Shape {
    fn area(&self) -> f64;
    fn perimeter(&self) -> f64;
    fn bounds(&self) -> Bounds;
    fn shift(&mut self, dx: f64, dy: f64);
    fn corners(&self) -> u32 {
        0
    }
}

struct Circle {
    x: f64,
    y: f64,
    r: f64,
}

struct Ring {
    outer: Circle,
    inner_r: f64,
}

struct Rect {
    x: f64,
    y: f64,
    w: f64,
    h: f64,
}

struct Square(Rect);

struct Triangle {
    points: [(f64, f64); 3],
}

struct Group {
    members: Vec<Box<dyn Shape>>,
}

impl Shape for Circle {
    fn area(&self) -> f64 {
        std::f64::consts::PI * self.r * self.r
    }
    fn perimeter(&self) -> f64 {
        2.0 * std::f64::consts::PI * self.r
    }
    fn bounds(&self) -> Bounds {
        Bounds { left: self.x - self.r, top: self.y - self.r, right: self.x + self.r, bottom: self.y + self.r }
    }
    fn shift(&mut self, dx: f64, dy: f64) {
        self.x += dx;
        self.y += dy;
    }
}

impl Shape for Ring {
    fn area(&self) -> f64 {
        self.outer.area() - std::f64::consts::PI * self.inner_r * self.inner_r
    }
    fn perimeter(&self) -> f64 {
        self.outer.perimeter() + 2.0 * std::f64::consts::PI * self.inner_r
    }
    fn bounds(&self) -> Bounds {
        self.outer.bounds()
    }
    fn shift(&mut self, dx: f64, dy: f64) {
        self.outer.shift(dx, dy);
    }
}

impl Shape for Rect {
    fn area(&self) -> f64 {
        self.w * self.h
    }
    fn perimeter(&self) -> f64 {
        2.0 * (self.w + self.h)
    }
    fn bounds(&self) -> Bounds {
        Bounds { left: self.x, top: self.y, right: self.x + self.w, bottom: self.y + self.h }
    }
    fn shift(&mut self, dx: f64, dy: f64) {
        self.x += dx;
        self.y += dy;
    }
    fn corners(&self) -> u32 {
        4
    }
}

impl Shape for Square {
    fn area(&self) -> f64 {
        self.0.w * self.0.w
    }
    fn perimeter(&self) -> f64 {
        4.0 * self.0.w
    }
    fn bounds(&self) -> Bounds {
        self.0.bounds()
    }
    fn shift(&mut self, dx: f64, dy: f64) {
        self.0.shift(dx, dy);
    }
    fn corners(&self) -> u32 {
        4
    }
}

impl Shape for Triangle {
    fn area(&self) -> f64 {
        let [(ax, ay), (bx, by), (cx, cy)] = self.points;
        ((bx - ax) * (cy - ay) - (cx - ax) * (by - ay)).abs() / 2.0
    }
    fn perimeter(&self) -> f64 {
        let side = |i: usize, j: usize| {
            let (dx, dy) = (self.points[i].0 - self.points[j].0, self.points[i].1 - self.points[j].1);
            (dx * dx + dy * dy).sqrt()
        };
        side(0, 1) + side(1, 2) + side(2, 0)
    }
    fn bounds(&self) -> Bounds {
        let mut b = Bounds { left: f64::MAX, top: f64::MAX, right: f64::MIN, bottom: f64::MIN };
        for (x, y) in self.points {
            b.left = b.left.min(x);
            b.right = b.right.max(x);
            b.top = b.top.min(y);
            b.bottom = b.bottom.max(y);
        }
        b
    }
    fn shift(&mut self, dx: f64, dy: f64) {
        for p in &mut self.points {
            p.0 += dx;
            p.1 += dy;
        }
    }
    fn corners(&self) -> u32 {
        3
    }
}

impl Shape for Group {
    fn area(&self) -> f64 {
        self.members.iter().map(|m| m.area()).sum()
    }
    fn perimeter(&self) -> f64 {
        self.members.iter().map(|m| m.perimeter()).sum()
    }
    fn bounds(&self) -> Bounds {
        self.members.iter().map(|m| m.bounds()).fold(
            Bounds { left: f64::MAX, top: f64::MAX, right: f64::MIN, bottom: f64::MIN },
            |a, b| Bounds {
                left: a.left.min(b.left),
                top: a.top.min(b.top),
                right: a.right.max(b.right),
                bottom: a.bottom.max(b.bottom),
            },
        )
    }
    fn shift(&mut self, dx: f64, dy: f64) {
        for m in &mut self.members {
            m.shift(dx, dy);
        }
    }
    fn corners(&self) -> u32 {
        self.members.iter().map(|m| m.corners()).sum()
    }
}

fn random_shape(rng: &mut Rng, depth: u32) -> Box<dyn Shape> {
    // Multiples of 1/1024, so that shifting there and back is exact.
    let mut length = |max: u32| f64::from(1 + rng.below(max * 1024)) / 1024.0;
    let (x, y, size, other) = (length(1000), length(1000), length(30), length(30));
    match rng.below(if depth < 2 { 6 } else { 5 }) {
        0 => Box::new(Circle { x, y, r: size }),
        1 => Box::new(Ring { outer: Circle { x, y, r: size }, inner_r: size / 3.0 }),
        2 => Box::new(Rect { x, y, w: size, h: other }),
        3 => Box::new(Square(Rect { x, y, w: size, h: size })),
        4 => Box::new(Triangle { points: [(x, y), (x + size, y), (x, y + other)] }),
        _ => {
            let members = 1 + rng.below(4);
            Box::new(Group { members: (0..members).map(|_| random_shape(rng, depth + 1)).collect() })
        }
    }
}

struct Shapes {
    scene: Vec<Box<dyn Shape>>,
    rounds: u32,
    area: f64,
    overlaps: u32,
}

impl Workload for Shapes {
    fn setup(small: bool) -> Shapes {
        let mut rng = Rng::new(11);
        let count = if small { 600 } else { 3000 };
        let scene = (0..count).map(|_| random_shape(&mut rng, 0)).collect();
        Shapes { scene, rounds: if small { 16 } else { 130 }, area: 0.0, overlaps: 0 }
    }

    fn kernel(&mut self) -> u64 {
        let mut sum = 0;
        self.area = 0.0;
        self.overlaps = 0;
        for round in 0..self.rounds {
            let mut perimeter = 0.0;
            let mut corners = 0;
            let mut last = Bounds { left: 0.0, top: 0.0, right: 0.0, bottom: 0.0 };
            for shape in &mut self.scene {
                self.area += shape.area();
                perimeter += shape.perimeter();
                corners += shape.corners();
                // There and back again, so that every kernel call sees the same scene.
                let step = if round % 2 == 0 { 256.0 } else { -256.0 };
                shape.shift(step, 0.0);
                let bounds = shape.bounds();
                self.overlaps += u32::from(bounds.overlaps(&last));
                last = bounds;
            }
            sum = mix(sum, f64::to_bits(perimeter) ^ u64::from(corners));
        }
        mix(mix(sum, self.area.to_bits()), u64::from(self.overlaps))
    }

    fn report(&self, out: &mut String) {
        let _ = writeln!(out, "shapes {}\narea {:.3}\noverlaps {}", self.scene.len(), self.area, self.overlaps);
    }
}

fn main() {
    bench::main::<Shapes>();
}
