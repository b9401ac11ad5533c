//! Big-integer arithmetic for public-key cryptography: Montgomery multiplication over 64-bit limbs,
//! modular exponentiation with a window, Miller–Rabin tests and Karatsuba products. 64 x 64 -> 128-bit
//! multiplies, which wasm has to build from 32-bit halves, and long carry chains.

use bench::{mix, Rng, Workload};
use std::cmp::Ordering;
use std::fmt::Write;

/// Little-endian limbs; the length is fixed by whoever made it.
type Limbs = Vec<u64>;

/// a + b * c + d as (low, high); it cannot overflow 128 bits.
fn multiply_add(a: u64, b: u64, c: u64, d: u64) -> (u64, u64) {
    let t = u128::from(a) + u128::from(b) * u128::from(c) + u128::from(d);
    (t as u64, (t >> 64) as u64)
}

fn compare(a: &[u64], b: &[u64]) -> Ordering {
    a.iter().rev().cmp(b.iter().rev())
}

/// a -= b; whether it borrowed.
fn subtract(a: &mut [u64], b: &[u64]) -> bool {
    let mut borrow = false;
    for (x, y) in a.iter_mut().zip(b.iter().copied().chain(std::iter::repeat(0))) {
        let (t, b1) = x.overflowing_sub(y);
        let (t, b2) = t.overflowing_sub(u64::from(borrow));
        *x = t;
        borrow = b1 | b2;
    }
    borrow
}

/// a += b, which is no longer; whether it carried out.
fn add(a: &mut [u64], b: &[u64]) -> bool {
    let mut carry = false;
    for (x, y) in a.iter_mut().zip(b.iter().copied().chain(std::iter::repeat(0))) {
        let (t, c1) = x.overflowing_add(y);
        let (t, c2) = t.overflowing_add(u64::from(carry));
        *x = t;
        carry = c1 | c2;
    }
    carry
}

struct Montgomery {
    modulus: Limbs,
    /// -1 / modulus modulo 2^64.
    inverse: u64,
    /// R and R squared modulo the modulus, with R = 2^(64 limbs).
    one: Limbs,
    square: Limbs,
}

impl Montgomery {
    fn new(modulus: &[u64]) -> Montgomery {
        let n = modulus.len();
        // Newton's iteration doubles the number of right bits; an odd number is its own inverse in 3.
        let mut inverse = modulus[0];
        for _ in 0..5 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(modulus[0].wrapping_mul(inverse)));
        }
        let mut power = vec![0; n];
        power[0] = 1;
        let mut double = |times: usize| {
            for _ in 0..times {
                let carry = power[n - 1] >> 63 == 1;
                for i in (1..n).rev() {
                    power[i] = power[i] << 1 | power[i - 1] >> 63;
                }
                power[0] <<= 1;
                if carry || compare(&power, modulus).is_ge() {
                    subtract(&mut power, modulus);
                }
            }
            power.clone()
        };
        let one = double(64 * n);
        let square = double(64 * n);
        Montgomery { modulus: modulus.to_vec(), inverse: inverse.wrapping_neg(), one, square }
    }

    /// out = a * b / R modulo the modulus.
    fn multiply(&self, a: &[u64], b: &[u64], out: &mut Limbs) {
        let n = self.modulus.len();
        let mut t = vec![0u64; n + 2];
        for &x in a {
            let mut carry = 0;
            for j in 0..n {
                (t[j], carry) = multiply_add(t[j], x, b[j], carry);
            }
            let (low, over) = t[n].overflowing_add(carry);
            t[n] = low;
            t[n + 1] = u64::from(over);

            let m = t[0].wrapping_mul(self.inverse);
            let (_, mut carry) = multiply_add(t[0], m, self.modulus[0], 0);
            for j in 1..n {
                (t[j - 1], carry) = multiply_add(t[j], m, self.modulus[j], carry);
            }
            let (low, over) = t[n].overflowing_add(carry);
            t[n - 1] = low;
            t[n] = t[n + 1] + u64::from(over);
        }
        if t[n] != 0 || compare(&t[..n], &self.modulus).is_ge() {
            subtract(&mut t[..=n], &self.modulus);
        }
        out.clear();
        out.extend_from_slice(&t[..n]);
    }

    fn power(&self, base: &[u64], exponent: &[u64]) -> Limbs {
        let mut table = vec![self.one.clone(); 16];
        let mut t = Limbs::new();
        self.multiply(base, &self.square, &mut t);
        table[1] = t.clone();
        for i in 2..16 {
            self.multiply(&table[i - 1], &table[1], &mut t);
            table[i] = t.clone();
        }
        let mut result = self.one.clone();
        for limb in exponent.iter().rev() {
            for shift in (0..64).step_by(4).rev() {
                for _ in 0..4 {
                    self.multiply(&result, &result, &mut t);
                    std::mem::swap(&mut result, &mut t);
                }
                self.multiply(&result, &table[(limb >> shift & 15) as usize], &mut t);
                std::mem::swap(&mut result, &mut t);
            }
        }
        let mut one = vec![0; self.modulus.len()];
        one[0] = 1;
        self.multiply(&result, &one, &mut t);
        t
    }
}

/// Miller–Rabin with a few fixed bases.
fn probably_prime(n: &[u64]) -> bool {
    let small = [3u64, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53];
    let remainder = |d: u64| n.iter().rev().fold(0, |r, limb| ((u128::from(r) << 64 | u128::from(*limb)) % u128::from(d)) as u64);
    if small.iter().any(|d| remainder(*d) == 0) {
        return false;
    }
    let field = Montgomery::new(n);
    let mut minus_one = n.to_vec();
    minus_one[0] -= 1;
    let twos = minus_one.iter().take_while(|l| **l == 0).count() as u32 * 64
        + minus_one.iter().find(|l| **l != 0).map_or(0, |l| l.trailing_zeros());
    let mut odd = minus_one.clone();
    for _ in 0..twos {
        for i in 0..odd.len() {
            odd[i] = odd[i] >> 1 | odd.get(i + 1).copied().unwrap_or(0) << 63;
        }
    }
    let mut one = vec![0; n.len()];
    one[0] = 1;
    [2u64, 3, 5].iter().all(|base| {
        let mut b = vec![0; n.len()];
        b[0] = *base;
        let mut x = field.power(&b, &odd);
        for _ in 0..twos {
            if x == one || x == minus_one {
                break;
            }
            x = field.power(&x, &[2]);
        }
        x == minus_one || (x == one && twos > 0)
    })
}

fn schoolbook(a: &[u64], b: &[u64], out: &mut [u64]) {
    out.fill(0);
    for (i, &x) in a.iter().enumerate() {
        let mut carry = 0;
        for (j, &y) in b.iter().enumerate() {
            (out[i + j], carry) = multiply_add(out[i + j], x, y, carry);
        }
        out[i + b.len()] = carry;
    }
}

/// out = a * b for lengths that are equal powers of two.
fn karatsuba(a: &[u64], b: &[u64], out: &mut [u64]) {
    let n = a.len();
    if n <= 16 {
        schoolbook(a, b, out);
        return;
    }
    let h = n / 2;
    let (low, high) = out.split_at_mut(n);
    karatsuba(&a[..h], &b[..h], low);
    karatsuba(&a[h..], &b[h..], high);
    // (a0 + a1)(b0 + b1), with the carries of the sums handled apart.
    let (mut sa, mut sb) = (a[..h].to_vec(), b[..h].to_vec());
    let (ca, cb) = (add(&mut sa, &a[h..]), add(&mut sb, &b[h..]));
    let mut middle = vec![0; n + 1];
    karatsuba(&sa, &sb, &mut middle[..n]);
    if ca {
        add(&mut middle[h..], &sb);
    }
    if cb {
        add(&mut middle[h..], &sa);
    }
    if ca && cb {
        middle[n] += 1;
    }
    subtract(&mut middle, low);
    subtract(&mut middle, high);
    add(&mut out[h..], &middle);
}

struct ModExp {
    modulus: Limbs,
    base: Limbs,
    exponent: Limbs,
    product_limbs: usize,
    rounds: u32,
    prime: Option<u64>,
}

impl Workload for ModExp {
    fn setup(small: bool) -> ModExp {
        let mut rng = Rng::new(65537);
        let mut limbs = |n: usize| -> Limbs { (0..n).map(|_| rng.next()).collect() };
        let n = if small { 4 } else { 16 };
        let (mut modulus, base, exponent) = (limbs(n), limbs(n), limbs(n));
        modulus[0] |= 1;
        modulus[n - 1] |= 1 << 63;
        let (product_limbs, rounds) = if small { (128, 2) } else { (1024, 4) };
        ModExp { modulus, base, exponent, product_limbs, rounds, prime: None }
    }

    fn kernel(&mut self) -> u64 {
        let mut sum = 0;
        let field = Montgomery::new(&self.modulus);
        let mut x = self.base.clone();
        if compare(&x, &self.modulus).is_ge() {
            subtract(&mut x, &self.modulus);
        }
        for _ in 0..self.rounds {
            x = field.power(&x, &self.exponent);
            sum = x.iter().fold(sum, |s, limb| mix(s, *limb));
        }
        // The first probable prime above 2^127 + something.
        let mut candidate = vec![x[0] | 1, x[1] | 1 << 63];
        let start = candidate[0];
        while !probably_prime(&candidate) {
            candidate[0] = candidate[0].wrapping_add(2);
        }
        self.prime = Some(candidate[0].wrapping_sub(start));
        sum = mix(sum, candidate[0]);
        // A long product both ways.
        let mut rng = Rng::new(2);
        let a: Limbs = (0..self.product_limbs).map(|_| rng.next()).collect();
        let b: Limbs = (0..self.product_limbs).map(|_| rng.next()).collect();
        let (mut fast, mut slow) = (vec![0; 2 * a.len()], vec![0; 2 * a.len()]);
        karatsuba(&a, &b, &mut fast);
        schoolbook(&a, &b, &mut slow);
        assert!(fast == slow, "both products agree");
        fast.iter().fold(sum, |s, limb| mix(s, *limb))
    }

    fn report(&self, out: &mut String) {
        let _ = writeln!(out, "bits {}\nprime after {}", self.modulus.len() * 64, self.prime.unwrap_or(0));
    }
}

pub fn main() {
    bench::main::<ModExp>();
}
