;; Exceptions as a language would use them: a recursive-descent evaluator over random expression trees
;; throws on division by zero and on overflow from deep inside, callers catch by tag, carry payloads,
;; rethrow with throw_ref and clean up with catch_all_ref. About one evaluation in eight throws.
(module
  ;;@prelude
  (memory (export "memory") 2)
  (tag $division (param i32))
  (tag $overflow (param i64 i32))
  (global $rounds (mut i32) (i32.const 0))
  (global $seed (mut i64) (i64.const 0))
  (global $divisions (mut i32) (i32.const 0))
  (global $overflows (mut i32) (i32.const 0))
  (global $cleanups (mut i32) (i32.const 0))

  (func $random (param $bound i32) (result i32) (local $s i64)
    (local.set $s (global.get $seed))
    (local.set $s (i64.xor (local.get $s) (i64.shl (local.get $s) (i64.const 13))))
    (local.set $s (i64.xor (local.get $s) (i64.shr_u (local.get $s) (i64.const 7))))
    (local.set $s (i64.xor (local.get $s) (i64.shl (local.get $s) (i64.const 17))))
    (global.set $seed (local.get $s))
    (i32.rem_u (i32.wrap_i64 (i64.shr_u (local.get $s) (i64.const 20))) (local.get $bound)))

  (func $divide (param $a i64) (param $b i64) (param $depth i32) (result i64)
    (if (i64.eqz (local.get $b)) (then (throw $division (local.get $depth))))
    (i64.div_s (local.get $a) (local.get $b)))

  (func $multiply (param $a i64) (param $b i64) (param $depth i32) (result i64) (local $r i64)
    (local.set $r (i64.mul (local.get $a) (local.get $b)))
    (if (i64.ge_u (i64.add (local.get $r) (i64.const 4096)) (i64.const 8192))
      (then (throw $overflow (local.get $r) (local.get $depth))))
    (local.get $r))

  ;; An expression of random shape, made up while it is evaluated.
  (func $evaluate (param $depth i32) (result i64) (local $op i32) (local $a i64) (local $b i64)
    (if (i32.eqz (local.get $depth))
      (then (return (i64.extend_i32_s (i32.sub (call $random (i32.const 21)) (i32.const 4))))))
    (local.set $op (call $random (i32.const 8)))
    (local.set $a (call $evaluate (i32.sub (local.get $depth) (i32.const 1))))
    (local.set $b (call $evaluate_guarded (i32.sub (local.get $depth) (i32.const 1)) (local.get $op)))
    (if (i32.eqz (local.get $op))
      (then (return (call $divide (local.get $a) (local.get $b) (local.get $depth)))))
    (if (i32.eq (local.get $op) (i32.const 1))
      (then (return (call $multiply (local.get $a) (local.get $b) (local.get $depth)))))
    (if (i32.lt_u (local.get $op) (i32.const 4))
      (then (return (i64.sub (local.get $a) (local.get $b)))))
    (i64.add (local.get $a) (local.get $b)))

  ;; One in eight operands has a cleanup: whatever passes through is counted and thrown on.
  (func $evaluate_guarded (param $depth i32) (param $op i32) (result i64)
    (if (i32.ne (local.get $op) (i32.const 5))
      (then (return (call $evaluate (local.get $depth)))))
    (block $cleanup (result exnref)
      (return (try_table (result i64) (catch_all_ref $cleanup)
        (call $evaluate (local.get $depth)))))
    (global.set $cleanups (i32.add (global.get $cleanups) (i32.const 1)))
    (throw_ref))

  ;; The value, or a code for what was thrown.
  (func $attempt (param $depth i32) (result i64) (local $value i64)
    (block $on_division (result i32)
      (block $on_overflow (result i64 i32)
        (return (try_table (result i64) (catch $division $on_division) (catch $overflow $on_overflow)
          (call $evaluate (local.get $depth)))))
      (drop)
      (local.set $value)
      (global.set $overflows (i32.add (global.get $overflows) (i32.const 1)))
      (return (i64.xor (local.get $value) (i64.const 0x0f0f0f0f))))
    (global.set $divisions (i32.add (global.get $divisions) (i32.const 1)))
    (i64.extend_i32_u (i32.add (i32.const 1000))))

  (func $setup (param $small i32)
    (global.set $rounds (select (i32.const 1000) (i32.const 45000) (local.get $small))))

  (func $kernel (result i64) (local $i i32) (local $sum i64)
    (global.set $seed (i64.const 88172645463325252))
    (global.set $divisions (i32.const 0))
    (global.set $overflows (i32.const 0))
    (global.set $cleanups (i32.const 0))
    (loop $more
      (local.set $sum (call $mix (local.get $sum)
        (call $attempt (i32.add (i32.const 1) (i32.and (local.get $i) (i32.const 3))))))
      (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (global.get $rounds))))
    (call $mix (local.get $sum) (i64.extend_i32_u (global.get $cleanups))))

  (func $report
    (call $put_field (i64.const 0x6f72657a) (i64.extend_i32_u (global.get $divisions)))          ;; "zero"
    (call $put_field (i64.const 0x656772616c) (i64.extend_i32_u (global.get $overflows)))          ;; "large"
    (call $put_field (i64.const 0x7370756e61656c63) (i64.extend_i32_u (global.get $cleanups))))) ;; "cleanups"
