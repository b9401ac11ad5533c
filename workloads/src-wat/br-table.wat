;; A table-driven machine written the way a compiler lowers a dense switch: one br_table over sixteen
;; opcodes inside a loop, on a program of random instructions with registers in wasm locals.
(module
  ;;@prelude
  (memory (export "memory") 2)
  (global $steps (mut i32) (i32.const 0))
  (global $taken (mut i32) (i32.const 0))

  ;; Program: 4096 bytes of opcodes at 4096, then 4096 operands at 8192.
  (func $setup (param $small i32) (local $i i32) (local $seed i64)
    (global.set $steps (select (i32.const 300000) (i32.const 16000000) (local.get $small)))
    (local.set $seed (i64.const 0x2545f4914f6cdd1d))
    (loop $fill
      (local.set $seed (i64.xor (local.get $seed) (i64.shl (local.get $seed) (i64.const 13))))
      (local.set $seed (i64.xor (local.get $seed) (i64.shr_u (local.get $seed) (i64.const 7))))
      (local.set $seed (i64.xor (local.get $seed) (i64.shl (local.get $seed) (i64.const 17))))
      (i32.store8 offset=4096 (local.get $i) (i32.wrap_i64 (i64.shr_u (local.get $seed) (i64.const 60))))
      (i32.store8 offset=8192 (local.get $i) (i32.wrap_i64 (i64.shr_u (local.get $seed) (i64.const 40))))
      (br_if $fill (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 4096)))))

  (func $kernel (result i64)
    (local $pc i32) (local $left i32) (local $operand i32)
    (local $a i64) (local $b i64) (local $c i64) (local $d i64)
    (local.set $left (global.get $steps))
    (local.set $a (i64.const 1))
    (local.set $b (i64.const 0x9e3779b97f4a7c15))
    (global.set $taken (i32.const 0))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $left)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (local.set $operand (i32.load8_u offset=8192 (local.get $pc)))
        (block $default
          (block $15 (block $14 (block $13 (block $12 (block $11 (block $10 (block $9 (block $8
          (block $7 (block $6 (block $5 (block $4 (block $3 (block $2 (block $1 (block $0
            (br_table $0 $1 $2 $3 $4 $5 $6 $7 $8 $9 $10 $11 $12 $13 $14 $15 $default
              (i32.load8_u offset=4096
                (local.tee $pc (i32.and (i32.add (local.get $pc) (i32.const 1)) (i32.const 4095))))))
            ;; 0: add
            (local.set $a (i64.add (local.get $a) (local.get $b))) (br $next))
            ;; 1: subtract
            (local.set $b (i64.sub (local.get $b) (local.get $c))) (br $next))
            ;; 2: xor
            (local.set $c (i64.xor (local.get $c) (local.get $d))) (br $next))
            ;; 3: rotate by the operand
            (local.set $d (i64.rotl (i64.add (local.get $d) (i64.const 1)) (i64.extend_i32_u (local.get $operand)))) (br $next))
            ;; 4: multiply
            (local.set $a (i64.mul (local.get $a) (i64.or (local.get $b) (i64.const 1)))) (br $next))
            ;; 5: swap
            (local.get $a) (local.set $a (local.get $c)) (local.set $c) (br $next))
            ;; 6: skip forward if negative
            (if (i64.lt_s (local.get $a) (i64.const 0))
              (then
                (global.set $taken (i32.add (global.get $taken) (i32.const 1)))
                (local.set $pc (i32.and (i32.add (local.get $pc) (i32.and (local.get $operand) (i32.const 15))) (i32.const 4095)))))
            (br $next))
            ;; 7: load
            (local.set $b (i64.add (local.get $b) (i64.load offset=16384 (i32.shl (local.get $operand) (i32.const 3))))) (br $next))
            ;; 8: store
            (i64.store offset=16384 (i32.shl (local.get $operand) (i32.const 3)) (local.get $d)) (br $next))
            ;; 9: immediate
            (local.set $c (i64.add (local.get $c) (i64.extend_i32_u (local.get $operand)))) (br $next))
            ;; 10: count bits
            (local.set $d (i64.add (local.get $d) (i64.popcnt (local.get $a)))) (br $next))
            ;; 11: select
            (local.set $b (select (local.get $a) (local.get $b) (i64.gt_u (local.get $c) (local.get $d)))) (br $next))
            ;; 12: shift
            (local.set $a (i64.shr_u (local.get $a) (i64.and (i64.extend_i32_u (local.get $operand)) (i64.const 7)))) (br $next))
            ;; 13: complement
            (local.set $c (i64.xor (local.get $c) (i64.const -1))) (br $next))
            ;; 14: jump
            (global.set $taken (i32.add (global.get $taken) (i32.const 1)))
            (local.set $pc (i32.and (i32.add (local.get $pc) (local.get $operand)) (i32.const 4095))) (br $next))
            ;; 15: leading zeros
            (local.set $d (i64.xor (local.get $d) (i64.clz (local.get $b)))) (br $next))
        (br $next)))
    ;; Memory that opcode 8 wrote is cleared, so that every call starts alike.
    (local.set $pc (i32.const 0))
    (loop $clear
      (local.set $d (i64.add (local.get $d) (i64.load offset=16384 (local.get $pc))))
      (i64.store offset=16384 (local.get $pc) (i64.const 0))
      (br_if $clear (i32.lt_u (local.tee $pc (i32.add (local.get $pc) (i32.const 8))) (i32.const 2048))))
    (call $mix (call $mix (call $mix (local.get $a) (local.get $b)) (local.get $c)) (local.get $d)))

  (func $report
    (call $put_field (i64.const 0x7370657473) (i64.extend_i32_u (global.get $steps)))    ;; "steps"
    (call $put_field (i64.const 0x6e656b6174) (i64.extend_i32_u (global.get $taken))))) ;; "taken"
