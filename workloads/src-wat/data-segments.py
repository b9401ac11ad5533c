"""Start-up case: 1 MB of initialised data in 64 active segments, printed as wat.

The bytes do not repeat, so nothing can be compressed away. The kernel sums a few of them.
"""

SEGMENTS = 64
BYTES = 16384
state = 99


def random_byte():
    global state
    state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
    return state >> 56


lines = [";; 1 MB of data.", "(module", "  ;;@prelude", '  (memory (export "memory") 18)']
for s in range(SEGMENTS):
    data = "".join(f"\\{random_byte():02x}" for _ in range(BYTES))
    lines.append(f'  (data (i32.const {65536 + s * BYTES}) "{data}")')
lines.append("  (func $setup (param $small i32))")
lines.append("  (func $kernel (result i64) (local $sum i64)")
for s in range(0, SEGMENTS, 8):
    lines.append(f"    (local.set $sum (call $mix (local.get $sum) (i64.load (i32.const {65536 + s * BYTES + 100}))))")
lines.append("    (local.get $sum))")
lines.append(f"  (func $report (call $put_field (i64.const 0x7365747962) (i64.const {SEGMENTS * BYTES}))))")
print("\n".join(lines))
