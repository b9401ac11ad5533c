//! A two-dimensional physics engine: boxes and discs fall into a bin, collide and come to rest.
//! A uniform grid finds candidate pairs, the separating-axis test finds contacts, and sequential
//! impulses with friction and warm starting solve them. Floating point with much branching, small
//! vectors of structs, and sorting. Only operations that round the same everywhere are used.

use bench::{mix, Rng, Workload};
use std::collections::HashMap;
use std::fmt::Write;
use std::ops::{Add, Mul, Sub};

#[derive(Clone, Copy, Default, PartialEq)]
struct Vec2 {
    x: f64,
    y: f64,
}

const fn vec2(x: f64, y: f64) -> Vec2 {
    Vec2 { x, y }
}

impl Add for Vec2 {
    type Output = Vec2;
    fn add(self, o: Vec2) -> Vec2 {
        vec2(self.x + o.x, self.y + o.y)
    }
}

impl Sub for Vec2 {
    type Output = Vec2;
    fn sub(self, o: Vec2) -> Vec2 {
        vec2(self.x - o.x, self.y - o.y)
    }
}

impl Mul<f64> for Vec2 {
    type Output = Vec2;
    fn mul(self, k: f64) -> Vec2 {
        vec2(self.x * k, self.y * k)
    }
}

impl Vec2 {
    fn dot(self, o: Vec2) -> f64 {
        self.x * o.x + self.y * o.y
    }
    fn cross(self, o: Vec2) -> f64 {
        self.x * o.y - self.y * o.x
    }
    fn length(self) -> f64 {
        self.dot(self).sqrt()
    }
    /// A quarter turn to the left, scaled: the velocity of a point at `self` under spin `w`.
    fn turned(self, w: f64) -> Vec2 {
        vec2(-w * self.y, w * self.x)
    }
}

#[derive(Clone, Copy)]
enum Shape {
    Disc(f64),
    /// Half width and half height.
    Box(Vec2),
}

#[derive(Clone)]
struct Body {
    shape: Shape,
    position: Vec2,
    /// The direction of the body's own x axis: a unit vector, so no trigonometry is needed.
    axis: Vec2,
    velocity: Vec2,
    spin: f64,
    inverse_mass: f64,
    inverse_inertia: f64,
}

impl Body {
    fn new(shape: Shape, position: Vec2, density: f64) -> Body {
        let (mass, inertia) = match shape {
            Shape::Disc(r) => {
                let mass = density * std::f64::consts::PI * r * r;
                (mass, mass * r * r / 2.0)
            }
            Shape::Box(half) => {
                let mass = density * 4.0 * half.x * half.y;
                (mass, mass * (half.x * half.x + half.y * half.y) / 3.0)
            }
        };
        let inverse = |v: f64| if density > 0.0 { 1.0 / v } else { 0.0 };
        Body {
            shape,
            position,
            axis: vec2(1.0, 0.0),
            velocity: Vec2::default(),
            spin: 0.0,
            inverse_mass: inverse(mass),
            inverse_inertia: inverse(inertia),
        }
    }

    fn to_local(&self, v: Vec2) -> Vec2 {
        vec2(v.dot(self.axis), self.axis.cross(v))
    }

    fn to_world(&self, v: Vec2) -> Vec2 {
        self.axis * v.x + self.axis.turned(1.0) * v.y
    }

    fn corners(&self, half: Vec2) -> [Vec2; 4] {
        [(1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0), (1.0, -1.0)].map(|(x, y)| self.position + self.to_world(vec2(half.x * x, half.y * y)))
    }

    fn reach(&self) -> f64 {
        match self.shape {
            Shape::Disc(r) => r,
            Shape::Box(half) => half.length(),
        }
    }

    fn velocity_at(&self, offset: Vec2) -> Vec2 {
        self.velocity + offset.turned(self.spin)
    }

    fn push(&mut self, impulse: Vec2, offset: Vec2) {
        self.velocity = self.velocity + impulse * self.inverse_mass;
        self.spin += self.inverse_inertia * offset.cross(impulse);
    }
}

struct Contact {
    a: usize,
    b: usize,
    /// Which of a pair's contact points this is, to find it again in the next step.
    feature: u32,
    point: Vec2,
    /// From a to b.
    normal: Vec2,
    depth: f64,
    normal_impulse: f64,
    friction_impulse: f64,
}

/// Reports contact points as (feature, point, normal from a to b, depth).
type Report<'a> = dyn FnMut(u32, Vec2, Vec2, f64) + 'a;

fn disc_disc(a: &Body, ra: f64, b: &Body, rb: f64, report: &mut Report) {
    let between = b.position - a.position;
    let distance = between.length();
    if distance < ra + rb && distance > 1e-9 {
        let normal = between * (1.0 / distance);
        report(0, a.position + normal * ra, normal, ra + rb - distance);
    }
}

fn box_disc(a: &Body, half: Vec2, b: &Body, r: f64, report: &mut Report) {
    let centre = a.to_local(b.position - a.position);
    let nearest = vec2(centre.x.clamp(-half.x, half.x), centre.y.clamp(-half.y, half.y));
    let out = centre - nearest;
    let distance = out.length();
    if distance > 1e-9 && distance < r {
        report(0, a.position + a.to_world(nearest), a.to_world(out * (1.0 / distance)), r - distance);
    } else if distance <= 1e-9 {
        // The centre is inside: leave through the nearest side.
        let (dx, dy) = (half.x - centre.x.abs(), half.y - centre.y.abs());
        let local = if dx < dy { vec2(centre.x.signum(), 0.0) } else { vec2(0.0, centre.y.signum()) };
        report(0, b.position, a.to_world(local), dx.min(dy) + r);
    }
}

/// The side of `a` through which `b` reaches least deep, as (normal, depth), if they overlap.
fn least_axis(a: &Body, half: Vec2, corners: &[Vec2; 4]) -> Option<(Vec2, f64)> {
    let axes = [(a.axis, half.x), (a.axis.turned(1.0), half.y)];
    let mut best: Option<(Vec2, f64)> = None;
    for (axis, extent) in axes {
        for normal in [axis, axis * -1.0] {
            let deepest = corners.iter().map(|c| (*c - a.position).dot(normal)).fold(f64::MAX, f64::min);
            let depth = extent - deepest;
            if depth <= 0.0 {
                return None;
            }
            if best.is_none_or(|(_, d)| depth < d) {
                best = Some((normal, depth));
            }
        }
    }
    best
}

fn box_box(a: &Body, ha: Vec2, b: &Body, hb: Vec2, report: &mut Report) {
    let (ca, cb) = (a.corners(ha), b.corners(hb));
    let (Some((na, da)), Some((nb, db))) = (least_axis(a, ha, &cb), least_axis(b, hb, &ca)) else { return };
    // The corners of one box that are inside the other are the contact points.
    let (normal, least) = if da <= db { (na, da) } else { (nb * -1.0, db) };
    let mut found = false;
    for (owner, half, corners, base) in [(a, ha, &cb, 0), (b, hb, &ca, 4)] {
        for (i, corner) in corners.iter().enumerate() {
            let local = owner.to_local(*corner - owner.position);
            if local.x.abs() <= half.x && local.y.abs() <= half.y {
                let depth = (half.x - local.x.abs()).min(half.y - local.y.abs());
                report(base + i as u32, *corner, normal, depth.min(least));
                found = true;
            }
        }
    }
    if !found {
        // Crossing without a corner inside: the middle of the overlap.
        report(8, (a.position + b.position) * 0.5, normal, least);
    }
}

struct World {
    bodies: Vec<Body>,
    contacts: Vec<Contact>,
    tested: u64,
    solved: u64,
}

const STEP_S: f64 = 1.0 / 60.0;
const CELL: f64 = 1.6;
const SLOP: f64 = 0.005;

impl World {
    /// Bodies that share a cell of the grid, each pair once and in a fixed order.
    fn candidates(&self) -> Vec<(usize, usize)> {
        let mut cells: Vec<(i32, i32, usize)> = Vec::new();
        for (i, body) in self.bodies.iter().enumerate() {
            let reach = match body.shape {
                Shape::Box(half) if body.inverse_mass == 0.0 => half,
                _ => vec2(body.reach(), body.reach()),
            };
            let cell = |v: f64| (v / CELL).floor() as i32;
            for x in cell(body.position.x - reach.x)..=cell(body.position.x + reach.x) {
                for y in cell(body.position.y - reach.y)..=cell(body.position.y + reach.y) {
                    cells.push((x, y, i));
                }
            }
        }
        cells.sort_unstable();
        let mut pairs = Vec::new();
        for group in cells.chunk_by(|p, q| (p.0, p.1) == (q.0, q.1)) {
            for (n, p) in group.iter().enumerate() {
                pairs.extend(group[n + 1..].iter().map(|q| (p.2, q.2)));
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }

    fn find_contacts(&mut self) {
        let warm: HashMap<(usize, usize, u32), (f64, f64)> =
            self.contacts.iter().map(|c| ((c.a, c.b, c.feature), (c.normal_impulse, c.friction_impulse))).collect();
        let mut contacts = Vec::new();
        for (i, j) in self.candidates() {
            let (first, second) = (&self.bodies[i], &self.bodies[j]);
            if first.inverse_mass + second.inverse_mass == 0.0 {
                continue;
            }
            self.tested += 1;
            // A disc goes second, so that three routines cover all pairs.
            let swap = matches!((first.shape, second.shape), (Shape::Disc(_), Shape::Box(_)));
            let (a, b) = if swap { (j, i) } else { (i, j) };
            let mut report = |feature, point, normal, depth| {
                let (normal_impulse, friction_impulse) = warm.get(&(a, b, feature)).copied().unwrap_or_default();
                contacts.push(Contact { a, b, feature, point, normal, depth, normal_impulse, friction_impulse });
            };
            let (p, q) = (&self.bodies[a], &self.bodies[b]);
            match (p.shape, q.shape) {
                (Shape::Disc(ra), Shape::Disc(rb)) => disc_disc(p, ra, q, rb, &mut report),
                (Shape::Box(half), Shape::Disc(r)) => box_disc(p, half, q, r, &mut report),
                (Shape::Box(ha), Shape::Box(hb)) => box_box(p, ha, q, hb, &mut report),
                (Shape::Disc(_), Shape::Box(_)) => unreachable!("the disc goes second"),
            }
        }
        self.contacts = contacts;
    }

    fn solve(&mut self, iterations: u32) {
        for pass in 0..=iterations {
            for c in &mut self.contacts {
                let [a, b] = self.bodies.get_disjoint_mut([c.a, c.b]).expect("two different bodies");
                let (ra, rb) = (c.point - a.position, c.point - b.position);
                let tangent = c.normal.turned(1.0);
                if pass == 0 {
                    // Last step's impulses are close to this step's: start from them.
                    let impulse = c.normal * c.normal_impulse + tangent * c.friction_impulse;
                    a.push(impulse * -1.0, ra);
                    b.push(impulse, rb);
                    continue;
                }
                self.solved += 1;
                let mass_along = |d: Vec2| {
                    let (ca, cb) = (ra.cross(d), rb.cross(d));
                    1.0 / (a.inverse_mass + b.inverse_mass + ca * ca * a.inverse_inertia + cb * cb * b.inverse_inertia)
                };
                let (normal_mass, tangent_mass) = (mass_along(c.normal), mass_along(tangent));
                let relative = b.velocity_at(rb) - a.velocity_at(ra);
                let bias = 0.2 / STEP_S * (c.depth - SLOP).max(0.0);
                let before = c.normal_impulse;
                c.normal_impulse = (before + normal_mass * (bias - relative.dot(c.normal))).max(0.0);
                let push = c.normal * (c.normal_impulse - before);
                a.push(push * -1.0, ra);
                b.push(push, rb);

                let relative = b.velocity_at(rb) - a.velocity_at(ra);
                let limit = 0.4 * c.normal_impulse;
                let before = c.friction_impulse;
                c.friction_impulse = (before - tangent_mass * relative.dot(tangent)).clamp(-limit, limit);
                let push = tangent * (c.friction_impulse - before);
                a.push(push * -1.0, ra);
                b.push(push, rb);
            }
        }
    }

    fn step(&mut self) {
        for body in self.bodies.iter_mut().filter(|b| b.inverse_mass > 0.0) {
            body.velocity.y -= 9.81 * STEP_S;
        }
        self.find_contacts();
        self.solve(8);
        for body in self.bodies.iter_mut().filter(|b| b.inverse_mass > 0.0) {
            body.position = body.position + body.velocity * STEP_S;
            // A small rotation, then back to unit length.
            let axis = body.axis + body.axis.turned(body.spin * STEP_S);
            body.axis = axis * (1.0 / axis.length());
        }
    }
}

struct RigidBodies {
    scene: Vec<Body>,
    steps: u32,
    world: World,
}

impl Workload for RigidBodies {
    fn setup(small: bool) -> RigidBodies {
        let mut rng = Rng::new(12);
        let (count, steps) = if small { (48, 36) } else { (220, 150) };
        let wall = |x, y, w, h| Body::new(Shape::Box(vec2(w, h)), vec2(x, y), 0.0);
        let mut scene = vec![wall(0.0, -1.0, 12.0, 1.0), wall(-11.0, 10.0, 1.0, 12.0), wall(11.0, 10.0, 1.0, 12.0)];
        for i in 0..count {
            let position = vec2(f64::from(i % 14) * 1.3 - 8.5 + 0.2 * rng.float(), 0.8 + f64::from(i / 14) * 1.1);
            let shape = if rng.below(2) == 0 {
                Shape::Disc(0.25 + 0.3 * rng.float())
            } else {
                Shape::Box(vec2(0.2 + 0.4 * rng.float(), 0.2 + 0.25 * rng.float()))
            };
            let mut body = Body::new(shape, position, 1.0);
            body.spin = rng.float() * 2.0 - 1.0;
            scene.push(body);
        }
        RigidBodies { world: World { bodies: Vec::new(), contacts: Vec::new(), tested: 0, solved: 0 }, scene, steps }
    }

    fn kernel(&mut self) -> u64 {
        self.world = World { bodies: self.scene.clone(), contacts: Vec::new(), tested: 0, solved: 0 };
        let mut sum = 0;
        for _ in 0..self.steps {
            self.world.step();
            sum = mix(sum, self.world.contacts.len() as u64);
        }
        for body in &self.world.bodies {
            sum = mix(mix(sum, body.position.x.to_bits()), body.position.y.to_bits() ^ body.spin.to_bits());
        }
        mix(sum, self.world.solved)
    }

    fn report(&self, out: &mut String) {
        let inside = self.world.bodies.iter().filter(|b| b.position.x.abs() < 11.0 && b.position.y > -0.1).count();
        let speed: f64 = self.world.bodies.iter().map(|b| b.velocity.length()).sum();
        let _ = writeln!(out, "pairs tested {}\ncontacts {}", self.world.tested, self.world.contacts.len());
        let _ = writeln!(out, "bodies inside {inside}\nmean speed {:.3}", speed / self.world.bodies.len() as f64);
    }
}

pub fn main() {
    bench::main::<RigidBodies>();
}
