;; The root of a hash tree with SHA-256 over 2 MiB of pseudo-random bytes, in hexadecimal: pairs of 32
;; bytes are hashed to 32 bytes, four pairs at once while there are as many, until one hash is left.
(module
  (import "lib" "memory" (memory 0))
  (import "lib" "input" (global $input (mut i32)))
  (import "lib" "output" (global $output (mut i32)))
  ;; Hashes four times 64 bytes of `input` to 128 bytes at the address.
  (import "lib" "batchHash4UintArray64s" (func $hash_four (param i32)))
  (import "lib" "digest64" (func $hash (param i32 i32)))
  (import "io" "write" (func $write (param i32 i32)))
  (export "memory" (memory 0))

  (func $digit (param $value i32) (result i32)
    (i32.add
      (select (i32.const 48) (i32.const 87) (i32.lt_u (local.get $value) (i32.const 10)))
      (local.get $value)))

  (func (export "_start")
    (local $tree i32) (local $length i32) (local $at i32) (local $state i32) (local $byte i32)
    (local.set $tree (i32.shl (memory.grow (i32.const 33)) (i32.const 16)))
    (local.set $length (i32.const 0x200000))
    (local.set $state (i32.const 1))
    (loop $next
      (local.set $state
        (i32.add (i32.mul (local.get $state) (i32.const 1664525)) (i32.const 1013904223)))
      (i32.store (i32.add (local.get $tree) (local.get $at)) (local.get $state))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $length))))

    ;; A level of the tree takes the place of the one below.
    (loop $level
      (local.set $at (i32.const 0))
      (if (i32.ge_u (local.get $length) (i32.const 256))
        (then
          (loop $next
            (memory.copy (global.get $input)
              (i32.add (local.get $tree) (local.get $at)) (i32.const 256))
            (call $hash_four (global.get $output))
            (memory.copy (i32.add (local.get $tree) (i32.shr_u (local.get $at) (i32.const 1)))
              (global.get $output) (i32.const 128))
            (local.set $at (i32.add (local.get $at) (i32.const 256)))
            (br_if $next (i32.lt_u (local.get $at) (local.get $length)))))
        (else
          (loop $next
            (memory.copy (global.get $input)
              (i32.add (local.get $tree) (local.get $at)) (i32.const 64))
            (call $hash (global.get $input) (global.get $output))
            (memory.copy (i32.add (local.get $tree) (i32.shr_u (local.get $at) (i32.const 1)))
              (global.get $output) (i32.const 32))
            (local.set $at (i32.add (local.get $at) (i32.const 64)))
            (br_if $next (i32.lt_u (local.get $at) (local.get $length))))))
      (local.set $length (i32.shr_u (local.get $length) (i32.const 1)))
      (br_if $level (i32.gt_u (local.get $length) (i32.const 32))))

    (local.set $at (i32.const 0))
    (loop $next
      (local.set $byte (i32.load8_u (i32.add (local.get $tree) (local.get $at))))
      (i32.store16 offset=64
        (i32.add (local.get $tree) (i32.shl (local.get $at) (i32.const 1)))
        (i32.or
          (call $digit (i32.shr_u (local.get $byte) (i32.const 4)))
          (i32.shl
            (call $digit (i32.and (local.get $byte) (i32.const 15)))
            (i32.const 8))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 32))))
    (i32.store8 offset=128 (local.get $tree) (i32.const 10))
    (call $write (i32.add (local.get $tree) (i32.const 64)) (i32.const 65))))
