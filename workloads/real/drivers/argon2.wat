;; Argon2id 1.3 of the reference implementation's test vectors: password "password", salt
;; "somesalt", 2 passes over 64 MiB and 256 KiB, 1 lane. Prints the encoded hashes.
(module
  (import "lib" "memory" (memory 0))
  (import "lib" "malloc" (func $malloc (param i32) (result i32)))
  (import "lib" "argon2_hash"
    (func $hash (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "io" "write" (func $write (param i32 i32)))
  (export "memory" (memory 0))
  (data $text "passwordsomesalt")

  (func $vector (param $kib i32)
    (local $text i32) (local $raw i32) (local $encoded i32) (local $end i32)
    (local.set $text (call $malloc (i32.const 16)))
    (local.set $raw (call $malloc (i32.const 32)))
    (local.set $encoded (call $malloc (i32.const 128)))
    (memory.init $text (local.get $text) (i32.const 0) (i32.const 16))
    (if (call $hash (i32.const 2) (local.get $kib) (i32.const 1)
          (local.get $text) (i32.const 8)
          (i32.add (local.get $text) (i32.const 8)) (i32.const 8)
          (local.get $raw) (i32.const 32)
          (local.get $encoded) (i32.const 128)
          (i32.const 2) (i32.const 19))
      (then (unreachable)))
    (local.set $end (local.get $encoded))
    (block $found
      (loop $next
        (br_if $found (i32.eqz (i32.load8_u (local.get $end))))
        (local.set $end (i32.add (local.get $end) (i32.const 1)))
        (br $next)))
    (i32.store8 (local.get $end) (i32.const 10))
    (call $write (local.get $encoded)
      (i32.sub (i32.add (local.get $end) (i32.const 1)) (local.get $encoded))))

  (func (export "_start")
    (call $vector (i32.const 256))
    (call $vector (i32.const 65536))))
