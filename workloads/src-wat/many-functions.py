"""Start-up case: a module of 10,000 functions of which a run calls 20, printed as wat.

The functions are of mixed size (a few instructions to a few hundred), call each other and use memory,
locals, loops and branches, so an engine that compiles everything before it starts pays for all of it.
"""

FUNCTIONS = 10_000
state = 12345


def random(bound):
    global state
    state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
    return (state >> 33) % bound


BINARY = ["add", "sub", "mul", "and", "or", "xor", "shl", "shr_u", "rotl"]


def expression(depth):
    kind = random(8)
    if depth == 0 or kind == 0:
        return f"(local.get {random(4)})" if random(3) else f"(i32.const {random(100000)})"
    if kind == 1:
        return f"(i32.load offset={4096 + 4 * random(1000)} (i32.and {expression(depth - 1)} (i32.const 0xfffc)))"
    if kind == 2:
        return f"(select {expression(depth - 1)} {expression(depth - 1)} (i32.lt_u {expression(depth - 1)} {expression(0)}))"
    return f"(i32.{BINARY[random(len(BINARY))]} {expression(depth - 1)} {expression(depth - 1)})"


def statement(depth):
    kind = random(6)
    if depth > 0 and kind == 0:
        return f"(if {expression(1)} (then {statement(depth - 1)}) (else {statement(depth - 1)}))"
    if depth > 0 and kind == 1:
        # At most seven times around: the counter is a local of its own.
        return (f"(local.set 4 (i32.const {1 + random(7)})) (loop $l {statement(0)} "
                "(br_if $l (local.tee 4 (i32.sub (local.get 4) (i32.const 1)))))")
    if kind == 2:
        return f"(i32.store offset={4096 + 4 * random(1000)} (i32.and {expression(1)} (i32.const 0xfffc)) {expression(1)})"
    return f"(local.set {random(4)} {expression(2)})"


lines = [
    ";; 10,000 functions of which 20 run.",
    "(module",
    "  ;;@prelude",
    '  (memory (export "memory") 3)',
]
for i in range(FUNCTIONS):
    body = " ".join(statement(2) for _ in range(1 + random(6)))
    # Calls go to later functions only, and only from functions that never run, so nothing recurses.
    call = f"(call $f{i + 1 + random(FUNCTIONS - i - 1)} {expression(0)} {expression(0)})" if i % 500 and i < FUNCTIONS - 1 else expression(1)
    lines.append(f"  (func $f{i} (param i32 i32) (result i32) (local i32 i32 i32) {body} (i32.add (local.get 2) {call}))")
lines.append("  (func $setup (param $small i32))")
lines.append("  (func $kernel (result i64) (local $sum i64)")
# From an unchanging memory, so that every iteration computes the same.
lines.append("    (memory.fill (i32.const 4096) (i32.const 3) (i32.const 80000))")
for i in range(0, FUNCTIONS, 500):
    lines.append(f"    (local.set $sum (call $mix (local.get $sum) (i64.extend_i32_u (call $f{i} (i32.const {i}) (i32.const 7)))))")
lines.append("    (local.get $sum))")
lines.append(f"  (func $report (call $put_field (i64.const 0x736e7566) (i64.const {FUNCTIONS}))))")
print("\n".join(lines))
