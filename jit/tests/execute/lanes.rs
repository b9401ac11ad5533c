//! Operations that move lanes, in registers and from and to memory.

use zwasm_core::num::{self, V128};
use zwasm_jit::masm::vector::{Extract, LaneMasm, Lanes, VecLoad};
use zwasm_jit::masm::{FloatWidth, Mem};

use super::harness::{Changes, Code, Kept, State, float_operands, operands};
use super::memory::{addresses, point_to};
use super::vector::{set, vector_hosts};

const LANES: [Lanes; 4] = [Lanes::I8x16, Lanes::I16x8, Lanes::I32x4, Lanes::I64x2];

/// A vector with one lane replaced.
fn with_lane(vector: u128, bytes: u8, lane: u8, value: u64) -> u128 {
    let (bytes, lane) = (usize::from(bytes), usize::from(lane));
    let mut all = vector.to_le_bytes();
    all[bytes * lane..bytes * (lane + 1)].copy_from_slice(&value.to_le_bytes()[..bytes]);
    u128::from_le_bytes(all)
}

fn lane_of(vector: u128, bytes: u8, lane: u8) -> u64 {
    let width = u32::from(bytes) * 8;
    let value = (vector >> (width * u32::from(lane))) as u64;
    value & (u64::MAX >> (64 - width))
}

#[test]
fn splats() {
    for host in vector_hosts() {
        for lanes in LANES {
            for dst in float_operands() {
                for src in operands() {
                    let code = Code::snippet(host, |m, _| m.splat(lanes, dst, src));
                    let state = State::new();
                    let after = code.check(&state, Changes::Float(dst), Kept::Allocatable);
                    let expected = (0..16 / lanes.bytes()).fold(0, |vector, lane| {
                        with_lane(vector, lanes.bytes(), lane, state.get(src))
                    });
                    assert_eq!(after.get_float(dst), expected, "{lanes:?} {code:?}");
                }
            }
        }
        for (width, bytes) in [(FloatWidth::F32, 4), (FloatWidth::F64, 8)] {
            for dst in float_operands() {
                for src in float_operands() {
                    let code = Code::snippet(host, |m, _| m.float_splat(width, dst, src));
                    let state = State::new();
                    let after = code.check(&state, Changes::Float(dst), Kept::Allocatable);
                    let value = lane_of(state.get_float(src), bytes, 0);
                    let expected = (0..16 / bytes)
                        .fold(0, |vector, lane| with_lane(vector, bytes, lane, value));
                    assert_eq!(after.get_float(dst), expected, "{width:?} {code:?}");
                }
            }
        }
    }
}

#[test]
fn extractions() {
    let operations = [
        (Extract::I8S, 1),
        (Extract::I8U, 1),
        (Extract::I16S, 2),
        (Extract::I16U, 2),
        (Extract::I32, 4),
        (Extract::I64, 8),
    ];
    let vector = 0xf0e1_d2c3_b4a5_9687_7869_5a4b_3c2d_1e0f_u128;
    for host in vector_hosts() {
        let mut state = State::new();
        for (op, bytes) in operations {
            for lane in 0..16 / bytes {
                for (dst, a) in operands().into_iter().zip(float_operands()) {
                    let code = Code::snippet(host, |m, _| m.extract_lane(op, lane, dst, a));
                    state.set_float(a, vector);
                    let after = code.check(&state, Changes::General(dst), Kept::Allocatable);
                    let raw = lane_of(vector, bytes, lane);
                    let expected = match op {
                        Extract::I8S => u64::from(i32::from(raw as i8) as u32),
                        Extract::I16S => u64::from(i32::from(raw as i16) as u32),
                        Extract::I8U | Extract::I16U | Extract::I32 | Extract::I64 => raw,
                    };
                    assert_eq!(after.get(dst), expected, "{op:?} {lane} {code:?}");
                }
            }
        }
        for (width, bytes) in [(FloatWidth::F32, 4), (FloatWidth::F64, 8)] {
            for lane in 0..16 / bytes {
                for dst in float_operands() {
                    for a in float_operands() {
                        let code =
                            Code::snippet(host, |m, _| m.float_extract_lane(width, lane, dst, a));
                        let state = State::new();
                        let after = code.check(&state, Changes::Float(dst), Kept::Allocatable);
                        let actual = lane_of(after.get_float(dst), bytes, 0);
                        let expected = lane_of(state.get_float(a), bytes, lane);
                        assert_eq!(actual, expected, "{width:?} {lane} {code:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn replacements() {
    for host in vector_hosts() {
        for lanes in LANES {
            for lane in 0..16 / lanes.bytes() {
                for dst in float_operands() {
                    for a in float_operands() {
                        for value in operands() {
                            let code = Code::snippet(host, |m, _| {
                                m.replace_lane(lanes, lane, dst, a, value);
                            });
                            let state = State::new();
                            let after = code.check(&state, Changes::Float(dst), Kept::Allocatable);
                            let old = state.get_float(a);
                            let expected = with_lane(old, lanes.bytes(), lane, state.get(value));
                            assert_eq!(after.get_float(dst), expected, "{lanes:?} {lane} {code:?}");
                        }
                    }
                }
            }
        }
        for (width, bytes) in [(FloatWidth::F32, 4), (FloatWidth::F64, 8)] {
            for lane in 0..16 / bytes {
                for dst in float_operands() {
                    for a in float_operands() {
                        for value in float_operands() {
                            let code = Code::snippet(host, |m, _| {
                                m.float_replace_lane(width, lane, dst, a, value);
                            });
                            let state = State::new();
                            let after = code.check(&state, Changes::Float(dst), Kept::Allocatable);
                            let new = lane_of(state.get_float(value), bytes, 0);
                            let expected = with_lane(state.get_float(a), bytes, lane, new);
                            assert_eq!(after.get_float(dst), expected, "{width:?} {lane} {code:?}");
                        }
                    }
                }
            }
        }
    }
}

/// Patterns that instructions have, those next to them, and noise.
fn shuffle_patterns() -> Vec<[u8; 16]> {
    let mut patterns = Vec::new();
    let mut lanes = |size: u8, source: &dyn Fn(u8) -> u8| {
        let bytes: [u8; 16] = std::array::from_fn(|i| {
            let i = i as u8;
            source(i / size) * size + i % size
        });
        patterns.push(bytes);
        patterns.push(bytes.map(|byte| byte ^ 16));
        patterns.push(bytes.map(|byte| byte & 15));
        let mut broken = bytes;
        broken[13] ^= 1;
        patterns.push(broken);
    };
    for size in [1, 2, 4, 8] {
        let count = 16 / size;
        lanes(size, &|lane| (lane & 1) * count + lane / 2);
        lanes(size, &|lane| (lane & 1) * count + lane / 2 + count / 2);
        lanes(size, &|lane| 2 * lane);
        lanes(size, &|lane| 2 * lane + 1);
        lanes(size, &|lane| (lane & 1) * count + (lane & !1));
        lanes(size, &|lane| (lane & 1) * count + (lane | 1));
        lanes(size, &|lane| count - 1 - lane);
        lanes(size, &|lane| lane ^ 1);
        lanes(size, &|_| count - 1);
        lanes(size, &|lane| lane + count / 2);
        lanes(size, &|lane| lane + (lane & 1) * count);
        lanes(size, &|lane| (lane * 7 + 3) % (2 * count));
    }
    for first in 0..17 {
        lanes(1, &|lane| (lane + first) % 32);
    }
    patterns
}

#[test]
fn shuffles() {
    let registers = float_operands();
    for host in vector_hosts() {
        for bytes in shuffle_patterns() {
            for &dst in &registers[1..] {
                for &a in &registers[1..] {
                    for &b in &registers[1..] {
                        let code = Code::snippet(host, |m, _| m.shuffle(bytes, dst, a, b));
                        let mut state = State::new();
                        let x = 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100_u128;
                        let y = 0x1f1e_1d1c_1b1a_1918_1716_1514_1312_1110_u128;
                        let [x, y] = set(&mut state, [a, b], [x, y]).map(V128::from_u128);
                        let after = code.check(&state, Changes::Float(dst), Kept::Allocatable);
                        let expected = num::i8x16_shuffle(x, y, bytes).to_u128();
                        assert_eq!(after.get_float(dst), expected, "{bytes:?} {code:?}");
                    }
                }
            }
        }
    }
}

/// The addresses with the last of each kind of displacement only.
fn some_addresses() -> Vec<Mem> {
    let displacements = [0, 8, -129, 4098, 0x0123_4567];
    let mut addresses = addresses();
    addresses.retain(|mem| displacements.contains(&mem.displacement));
    addresses
}

#[test]
fn loads_of_less_than_a_vector() {
    let place = 0x8182_8384_7576_7788_u64;
    let extended = |function: fn(u64) -> V128| function(place).to_u128();
    let splat = |bytes| {
        let lane = |vector, lane| with_lane(vector, bytes, lane, place);
        (0..16 / bytes).fold(0, lane)
    };
    let cases = [
        (VecLoad::Extend8x8S, extended(num::v128_load8x8_s)),
        (VecLoad::Extend8x8U, extended(num::v128_load8x8_u)),
        (VecLoad::Extend16x4S, extended(num::v128_load16x4_s)),
        (VecLoad::Extend16x4U, extended(num::v128_load16x4_u)),
        (VecLoad::Extend32x2S, extended(num::v128_load32x2_s)),
        (VecLoad::Extend32x2U, extended(num::v128_load32x2_u)),
        (VecLoad::Splat(Lanes::I8x16), splat(1)),
        (VecLoad::Splat(Lanes::I16x8), splat(2)),
        (VecLoad::Splat(Lanes::I32x4), splat(4)),
        (VecLoad::Splat(Lanes::I64x2), splat(8)),
        (VecLoad::Zero32, u128::from(place as u32)),
        (VecLoad::Zero64, u128::from(place)),
    ];
    for host in vector_hosts() {
        for (op, expected) in cases {
            for mem in some_addresses() {
                for dst in float_operands() {
                    let code = Code::snippet(host, |m, _| m.vec_load(op, dst, mem));
                    let mut state = State::new();
                    if !point_to(&mut state, mem, &raw const place as u64) {
                        continue;
                    }
                    let after = code.check(&state, Changes::Float(dst), Kept::Allocatable);
                    assert_eq!(after.get_float(dst), expected, "{op:?} {mem:?} {code:?}");
                }
            }
        }
    }
}

#[test]
fn lanes_in_memory() {
    for host in vector_hosts() {
        for lanes in LANES {
            for lane in [0, 1, 16 / lanes.bytes() - 1] {
                for (i, mem) in some_addresses().into_iter().enumerate() {
                    let registers = float_operands();
                    let (dst, a) = (registers[i % 3], registers[i / 3 % 4]);
                    let load = Code::snippet(host, |m, _| m.load_lane(lanes, lane, dst, a, mem));
                    let store = Code::snippet(host, |m, _| m.store_lane(lanes, lane, a, mem));
                    let mut place = 0x0102_0304_0506_0708_1112_1314_1516_1718_u128;
                    let mut state = State::new();
                    if !point_to(&mut state, mem, &raw mut place as u64) {
                        continue;
                    }
                    let bytes = lanes.bytes();
                    let old = state.get_float(a);
                    let after = load.check(&state, Changes::Float(dst), Kept::Allocatable);
                    let expected = with_lane(old, bytes, lane, place as u64);
                    assert_eq!(after.get_float(dst), expected, "{lanes:?} {lane} {mem:?}");
                    let expected = with_lane(place, bytes, 0, lane_of(old, bytes, lane));
                    store.check(&state, Changes::Nothing, Kept::Allocatable);
                    assert_eq!(place, expected, "{lanes:?} {lane} {mem:?}");
                }
            }
        }
    }
}
