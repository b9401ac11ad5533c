//! A small path tracer: spheres and a floor with diffuse, mirror and glass materials, a bounding-volume
//! hierarchy, and progressive sampling. Branchy floating point with recursion over the hierarchy,
//! square roots and divisions, in f64 throughout.

use bench::{mix, Rng, Workload};
use std::fmt::Write;
use std::ops::{Add, Mul, Neg, Sub};

#[derive(Clone, Copy, Default)]
struct Vec3 {
    x: f64,
    y: f64,
    z: f64,
}

const fn vec3(x: f64, y: f64, z: f64) -> Vec3 {
    Vec3 { x, y, z }
}

impl Add for Vec3 {
    type Output = Vec3;
    fn add(self, o: Vec3) -> Vec3 {
        vec3(self.x + o.x, self.y + o.y, self.z + o.z)
    }
}

impl Sub for Vec3 {
    type Output = Vec3;
    fn sub(self, o: Vec3) -> Vec3 {
        vec3(self.x - o.x, self.y - o.y, self.z - o.z)
    }
}

impl Mul<f64> for Vec3 {
    type Output = Vec3;
    fn mul(self, k: f64) -> Vec3 {
        vec3(self.x * k, self.y * k, self.z * k)
    }
}

impl Neg for Vec3 {
    type Output = Vec3;
    fn neg(self) -> Vec3 {
        self * -1.0
    }
}

impl Vec3 {
    fn dot(self, o: Vec3) -> f64 {
        self.x * o.x + self.y * o.y + self.z * o.z
    }
    fn cross(self, o: Vec3) -> Vec3 {
        vec3(self.y * o.z - self.z * o.y, self.z * o.x - self.x * o.z, self.x * o.y - self.y * o.x)
    }
    fn unit(self) -> Vec3 {
        self * (1.0 / self.dot(self).sqrt())
    }
    fn tint(self, o: Vec3) -> Vec3 {
        vec3(self.x * o.x, self.y * o.y, self.z * o.z)
    }
    fn reflect(self, normal: Vec3) -> Vec3 {
        self - normal * (2.0 * self.dot(normal))
    }
    fn min(self, o: Vec3) -> Vec3 {
        vec3(self.x.min(o.x), self.y.min(o.y), self.z.min(o.z))
    }
    fn max(self, o: Vec3) -> Vec3 {
        vec3(self.x.max(o.x), self.y.max(o.y), self.z.max(o.z))
    }
}

#[derive(Clone, Copy)]
struct Ray {
    origin: Vec3,
    direction: Vec3,
    inverse: Vec3,
}

impl Ray {
    fn new(origin: Vec3, direction: Vec3) -> Ray {
        let inverse = vec3(1.0 / direction.x, 1.0 / direction.y, 1.0 / direction.z);
        Ray { origin, direction, inverse }
    }
    fn at(&self, t: f64) -> Vec3 {
        self.origin + self.direction * t
    }
}

#[derive(Clone, Copy)]
enum Material {
    Diffuse(Vec3),
    Mirror { tint: Vec3, roughness: f64 },
    Glass { index: f64 },
    Light(Vec3),
}

#[derive(Clone, Copy)]
struct Sphere {
    centre: Vec3,
    radius: f64,
    material: Material,
}

impl Sphere {
    fn hit(&self, ray: &Ray, nearest: f64) -> Option<f64> {
        let to = ray.origin - self.centre;
        let b = to.dot(ray.direction);
        let discriminant = b * b - (to.dot(to) - self.radius * self.radius);
        if discriminant < 0.0 {
            return None;
        }
        let root = discriminant.sqrt();
        [-b - root, -b + root].into_iter().find(|t| (1e-6..nearest).contains(t))
    }
}

// ---- Bounding-volume hierarchy ------------------------------------------------------------------

#[derive(Clone, Copy)]
struct Bounds {
    low: Vec3,
    high: Vec3,
}

impl Bounds {
    fn around(spheres: &[Sphere]) -> Bounds {
        let mut b = Bounds { low: vec3(1e9, 1e9, 1e9), high: vec3(-1e9, -1e9, -1e9) };
        for s in spheres {
            let r = vec3(s.radius, s.radius, s.radius);
            b.low = b.low.min(s.centre - r);
            b.high = b.high.max(s.centre + r);
        }
        b
    }

    fn entered_by(&self, ray: &Ray, nearest: f64) -> bool {
        let slab = |low: f64, high: f64, origin: f64, inverse: f64| {
            let (a, b) = ((low - origin) * inverse, (high - origin) * inverse);
            (a.min(b), a.max(b))
        };
        let (x0, x1) = slab(self.low.x, self.high.x, ray.origin.x, ray.inverse.x);
        let (y0, y1) = slab(self.low.y, self.high.y, ray.origin.y, ray.inverse.y);
        let (z0, z1) = slab(self.low.z, self.high.z, ray.origin.z, ray.inverse.z);
        let enter = x0.max(y0).max(z0).max(0.0);
        let leave = x1.min(y1).min(z1).min(nearest);
        enter <= leave
    }
}

enum Node {
    Leaf(Bounds, Vec<Sphere>),
    Inner(Bounds, Box<[Node; 2]>),
}

impl Node {
    fn build(mut spheres: Vec<Sphere>) -> Node {
        let bounds = Bounds::around(&spheres);
        if spheres.len() <= 4 {
            return Node::Leaf(bounds, spheres);
        }
        let extent = bounds.high - bounds.low;
        let key = |s: &Sphere| {
            if extent.x >= extent.y && extent.x >= extent.z {
                s.centre.x
            } else if extent.y >= extent.z {
                s.centre.y
            } else {
                s.centre.z
            }
        };
        spheres.sort_by(|a, b| key(a).total_cmp(&key(b)));
        let upper = spheres.split_off(spheres.len() / 2);
        Node::Inner(bounds, Box::new([Node::build(spheres), Node::build(upper)]))
    }

    fn hit(&self, ray: &Ray, nearest: &mut f64) -> Option<Sphere> {
        match self {
            Node::Leaf(bounds, spheres) => {
                if !bounds.entered_by(ray, *nearest) {
                    return None;
                }
                let mut found = None;
                for s in spheres {
                    if let Some(t) = s.hit(ray, *nearest) {
                        *nearest = t;
                        found = Some(*s);
                    }
                }
                found
            }
            Node::Inner(bounds, children) => {
                if !bounds.entered_by(ray, *nearest) {
                    return None;
                }
                let first = children[0].hit(ray, nearest);
                children[1].hit(ray, nearest).or(first)
            }
        }
    }
}

// ---- Light transport ----------------------------------------------------------------------------

/// A uniform direction, by rejection: no trigonometry, so every target computes the same bits.
fn random_direction(rng: &mut Rng) -> Vec3 {
    loop {
        let v = vec3(rng.float() * 2.0 - 1.0, rng.float() * 2.0 - 1.0, rng.float() * 2.0 - 1.0);
        if (1e-4..1.0).contains(&v.dot(v)) {
            return v.unit();
        }
    }
}

fn sky(direction: Vec3) -> Vec3 {
    let t = 0.5 * (direction.y + 1.0);
    vec3(1.0, 0.95, 0.9) * (1.0 - t) + vec3(0.4, 0.6, 1.0) * t
}

fn floor_hit(ray: &Ray, nearest: f64) -> Option<(f64, Material)> {
    let t = -ray.origin.y * ray.inverse.y;
    if !(1e-6..nearest).contains(&t) {
        return None;
    }
    let p = ray.at(t);
    let dark = (p.x.floor() + p.z.floor()) as i64 & 1 == 0;
    Some((t, Material::Diffuse(if dark { vec3(0.2, 0.2, 0.25) } else { vec3(0.8, 0.8, 0.75) })))
}

struct Scene {
    root: Node,
    rays: u64,
}

impl Scene {
    fn radiance(&mut self, ray: Ray, depth: u32, rng: &mut Rng) -> Vec3 {
        self.rays += 1;
        let mut nearest = 1e9;
        let sphere = self.root.hit(&ray, &mut nearest);
        let (point, normal, material) = match (floor_hit(&ray, nearest), sphere) {
            (Some((t, material)), _) => (ray.at(t), vec3(0.0, 1.0, 0.0), material),
            (None, Some(s)) => {
                let point = ray.at(nearest);
                (point, (point - s.centre) * (1.0 / s.radius), s.material)
            }
            (None, None) => return sky(ray.direction),
        };
        if depth == 0 {
            return Vec3::default();
        }
        let outside = ray.direction.dot(normal) < 0.0;
        let facing = if outside { normal } else { -normal };
        match material {
            Material::Light(colour) => colour,
            Material::Diffuse(colour) => {
                let direction = (facing + random_direction(rng) * 0.999).unit();
                colour.tint(self.radiance(Ray::new(point, direction), depth - 1, rng))
            }
            Material::Mirror { tint, roughness } => {
                let direction = (ray.direction.reflect(facing) + random_direction(rng) * roughness).unit();
                if direction.dot(facing) <= 0.0 {
                    return Vec3::default();
                }
                tint.tint(self.radiance(Ray::new(point, direction), depth - 1, rng))
            }
            Material::Glass { index } => {
                let ratio = if outside { 1.0 / index } else { index };
                let cos = -ray.direction.dot(facing);
                let sin2 = ratio * ratio * (1.0 - cos * cos);
                let base = (1.0 - ratio) / (1.0 + ratio);
                let k = 1.0 - cos;
                let schlick = base * base + (1.0 - base * base) * k * k * k * k * k;
                let direction = if sin2 > 1.0 || rng.float() < schlick {
                    ray.direction.reflect(facing)
                } else {
                    (ray.direction * ratio + facing * (ratio * cos - (1.0 - sin2).sqrt())).unit()
                };
                self.radiance(Ray::new(point, direction), depth - 1, rng)
            }
        }
    }
}

struct PathTracer {
    scene: Scene,
    width: u32,
    height: u32,
    samples: u32,
    brightness: f64,
}

impl Workload for PathTracer {
    fn setup(small: bool) -> PathTracer {
        let mut rng = Rng::new(6);
        let mut spheres = vec![
            Sphere { centre: vec3(0.0, 1.0, 0.0), radius: 1.0, material: Material::Glass { index: 1.5 } },
            Sphere { centre: vec3(-2.2, 1.0, 0.5), radius: 1.0, material: Material::Mirror { tint: vec3(0.9, 0.8, 0.6), roughness: 0.02 } },
            Sphere { centre: vec3(4.0, 6.0, -3.0), radius: 1.5, material: Material::Light(vec3(9.0, 8.0, 7.0)) },
        ];
        for _ in 0..120 {
            let radius = 0.1 + 0.2 * rng.float();
            let centre = vec3(rng.float() * 12.0 - 6.0, radius, rng.float() * 12.0 - 6.0);
            let colour = vec3(rng.float(), rng.float(), rng.float());
            let material = match rng.below(4) {
                0 => Material::Mirror { tint: colour, roughness: 0.3 * rng.float() },
                1 => Material::Glass { index: 1.3 + 0.4 * rng.float() },
                _ => Material::Diffuse(colour),
            };
            spheres.push(Sphere { centre, radius, material });
        }
        let (width, height, samples) = if small { (24, 16, 2) } else { (96, 64, 4) };
        PathTracer { scene: Scene { root: Node::build(spheres), rays: 0 }, width, height, samples, brightness: 0.0 }
    }

    fn kernel(&mut self) -> u64 {
        let eye = vec3(3.0, 2.0, 6.0);
        let forward = (vec3(0.0, 0.7, 0.0) - eye).unit();
        let right = forward.cross(vec3(0.0, 1.0, 0.0)).unit();
        let up = right.cross(forward);
        let mut rng = Rng::new(1);
        let mut sum = 0;
        self.scene.rays = 0;
        self.brightness = 0.0;
        for row in 0..self.height {
            for column in 0..self.width {
                let mut colour = Vec3::default();
                for _ in 0..self.samples {
                    let u = (f64::from(column) + rng.float()) / f64::from(self.width) - 0.5;
                    let v = 0.5 - (f64::from(row) + rng.float()) / f64::from(self.height);
                    let direction = (forward + right * (1.2 * u) + up * (0.8 * v)).unit();
                    colour = colour + self.scene.radiance(Ray::new(eye, direction), 8, &mut rng);
                }
                let colour = colour * (1.0 / f64::from(self.samples));
                self.brightness += colour.x + colour.y + colour.z;
                let byte = |c: f64| (c.min(1.0).sqrt() * 255.0) as u64;
                sum = mix(sum, byte(colour.x) << 16 | byte(colour.y) << 8 | byte(colour.z));
            }
        }
        mix(sum, self.scene.rays)
    }

    fn report(&self, out: &mut String) {
        let pixels = f64::from(self.width * self.height);
        let _ = writeln!(out, "rays {}\nmean brightness {:.4}", self.scene.rays, self.brightness / 3.0 / pixels);
    }
}

pub fn main() {
    bench::main::<PathTracer>();
}
