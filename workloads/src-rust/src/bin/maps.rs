//! The standard library's collections: word counts in a `HashMap` of strings, an index in a
//! `BTreeMap`, shortest paths with a `BinaryHeap`, and a least-recently-used cache over a map and a
//! `VecDeque`. Hashing with SipHash, string comparison, node splits and vector growth.

use bench::{mix, mix_bytes, Rng, Workload};
use std::cmp::Reverse;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::fmt::Write;
use std::hash::BuildHasherDefault;

/// Without random keys, so that iteration order is the same on every run.
type FixedMap<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

fn word_counts(text: &str) -> (usize, u64) {
    let mut counts: FixedMap<&str, u32> = FixedMap::default();
    for word in text.split_ascii_whitespace() {
        *counts.entry(word).or_default() += 1;
    }
    let mut ranked: Vec<(u32, &str)> = counts.iter().map(|(w, n)| (*n, *w)).collect();
    ranked.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    let sum = ranked.iter().take(50).fold(0, |s, (n, w)| mix_bytes(mix(s, u64::from(*n)), w.as_bytes()));
    (counts.len(), sum)
}

/// Lines by word, then prefix queries on the ordered keys.
fn index(text: &str, prefixes: &[String]) -> u64 {
    let mut index: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        for word in line.split(' ') {
            let lines = index.entry(word.to_owned()).or_default();
            if lines.last() != Some(&(number as u32)) {
                lines.push(number as u32);
            }
        }
    }
    let mut sum = 0;
    for prefix in prefixes {
        let found = index.range(prefix.clone()..).take_while(|(word, _)| word.starts_with(prefix.as_str()));
        for (word, lines) in found {
            sum = mix(sum, (word.len() + lines.len()) as u64 ^ u64::from(lines[0]));
        }
    }
    sum
}

struct Edge {
    to: u32,
    length: u32,
}

fn shortest_paths(graph: &[Vec<Edge>], from: u32) -> Vec<u32> {
    let mut distance = vec![u32::MAX; graph.len()];
    let mut queue = BinaryHeap::from([Reverse((0, from))]);
    distance[from as usize] = 0;
    while let Some(Reverse((so_far, node))) = queue.pop() {
        if so_far > distance[node as usize] {
            continue;
        }
        for edge in &graph[node as usize] {
            let length = so_far + edge.length;
            if length < distance[edge.to as usize] {
                distance[edge.to as usize] = length;
                queue.push(Reverse((length, edge.to)));
            }
        }
    }
    distance
}

/// Keys with the number of their last use; stale queue entries are skipped when evicting.
struct Cache {
    entries: FixedMap<u64, (u64, u32)>,
    uses: VecDeque<(u64, u32)>,
    capacity: usize,
    clock: u32,
    hits: u32,
}

impl Cache {
    fn get(&mut self, key: u64) -> u64 {
        self.clock += 1;
        self.uses.push_back((key, self.clock));
        if let Some((value, used)) = self.entries.get_mut(&key) {
            self.hits += 1;
            *used = self.clock;
            return *value;
        }
        if self.entries.len() == self.capacity {
            while let Some((old, used)) = self.uses.pop_front() {
                if self.entries.get(&old).is_some_and(|(_, last)| *last == used) {
                    self.entries.remove(&old);
                    break;
                }
            }
        }
        let value = mix(0, key);
        self.entries.insert(key, (value, self.clock));
        value
    }
}

struct Maps {
    text: String,
    prefixes: Vec<String>,
    graph: Vec<Vec<Edge>>,
    lookups: u32,
    words: usize,
    farthest: u32,
    hits: u32,
}

impl Workload for Maps {
    fn setup(small: bool) -> Maps {
        let mut rng = Rng::new(31);
        let (lines, nodes, lookups) = if small { (60, 300, 3000) } else { (5000, 18_000, 200_000) };
        let word = |rng: &mut Rng| {
            let mut n = rng.below(3000).min(rng.below(3000)) + 30;
            let mut word = String::new();
            while n > 0 {
                word.push(char::from(b'a' + (n % 21) as u8));
                n /= 7;
            }
            word
        };
        let mut text = String::new();
        for _ in 0..lines {
            for i in 0..8 + rng.below(6) {
                text.push_str(if i > 0 { " " } else { "" });
                text.push_str(&word(&mut rng));
            }
            text.push('\n');
        }
        let prefixes = (0..200).map(|_| word(&mut rng)[..2].to_owned()).collect();
        let graph = (0..nodes)
            .map(|from| {
                let mut edges = vec![Edge { to: (from + 1) % nodes, length: 500 + rng.below(100) }];
                edges.extend((0..4).map(|_| Edge { to: rng.below(nodes), length: 1 + rng.below(1000) }));
                edges
            })
            .collect();
        Maps { text, prefixes, graph, lookups, words: 0, farthest: 0, hits: 0 }
    }

    fn kernel(&mut self) -> u64 {
        let (words, mut sum) = word_counts(&self.text);
        self.words = words;
        sum = mix(sum, index(&self.text, &self.prefixes));
        let distances = shortest_paths(&self.graph, 0);
        self.farthest = distances.iter().copied().max().unwrap_or(0);
        sum = distances.iter().fold(sum, |s, d| mix(s, u64::from(*d)));
        let mut cache = Cache { entries: FixedMap::default(), uses: VecDeque::new(), capacity: 512, clock: 0, hits: 0 };
        let mut rng = Rng::new(32);
        for _ in 0..self.lookups {
            let key = u64::from(rng.below(2000).min(rng.below(2000)));
            sum = sum.wrapping_add(cache.get(key));
        }
        self.hits = cache.hits;
        mix(sum, u64::from(cache.hits))
    }

    fn report(&self, out: &mut String) {
        let _ = writeln!(out, "words {}\nfarthest {}\ncache hits {}", self.words, self.farthest, self.hits);
    }
}

pub fn main() {
    bench::main::<Maps>();
}
