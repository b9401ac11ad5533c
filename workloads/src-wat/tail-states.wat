;; A lexer whose states are functions that tail-call each other, directly and through a table: stack
;; space stays constant over millions of transitions. States also pass floating-point and 64-bit
;; arguments of different number, so callers and callees need different argument areas.
(module
  ;;@prelude
  (memory (export "memory") 40)
  (type $state (func (param $at i32) (param $words i32) (param $hash i64) (result i64)))
  (table funcref (elem $space $word $number $mark))
  (global $len (mut i32) (i32.const 0))
  (global $words_seen (mut i32) (i32.const 0))

  ;; Classes: 0 space, 1 letter, 2 digit, 3 other; the table is at 4096, text at 8192.
  (func $setup (param $small i32) (local $i i32) (local $seed i64) (local $c i32)
    (global.set $len (select (i32.const 40000) (i32.const 2400000) (local.get $small)))
    (loop $classes
      (i32.store8 offset=4096 (local.get $i)
        (select (i32.const 1)
          (select (i32.const 2)
            (select (i32.const 0) (i32.const 3) (i32.le_u (local.get $i) (i32.const 32)))
            (i32.lt_u (i32.sub (local.get $i) (i32.const 48)) (i32.const 10)))
          (i32.lt_u (i32.sub (i32.or (local.get $i) (i32.const 32)) (i32.const 97)) (i32.const 26))))
      (br_if $classes (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 256))))
    (local.set $i (i32.const 0))
    (local.set $seed (i64.const 88172645463325252))
    (loop $text
      (local.set $seed (i64.xor (local.get $seed) (i64.shl (local.get $seed) (i64.const 13))))
      (local.set $seed (i64.xor (local.get $seed) (i64.shr_u (local.get $seed) (i64.const 7))))
      (local.set $seed (i64.xor (local.get $seed) (i64.shl (local.get $seed) (i64.const 17))))
      ;; Five in eight are letters, then spaces, digits and marks.
      (local.set $c (i32.wrap_i64 (i64.and (i64.shr_u (local.get $seed) (i64.const 33)) (i64.const 7))))
      (i32.store8 offset=8192 (local.get $i)
        (select
          (i32.add (i32.const 97) (i32.wrap_i64 (i64.rem_u (i64.shr_u (local.get $seed) (i64.const 40)) (i64.const 26))))
          (select (i32.const 32)
            (select (i32.const 55) (i32.const 43) (i32.eq (local.get $c) (i32.const 6)))
            (i32.eq (local.get $c) (i32.const 5)))
          (i32.lt_u (local.get $c) (i32.const 5))))
      (br_if $text (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (global.get $len)))))

  (func $byte (param $at i32) (result i32) (i32.load8_u offset=8192 (local.get $at)))

  ;; Goes on in the state for the class of the byte at $at.
  (func $dispatch (type $state) (param $at i32) (param $words i32) (param $hash i64) (result i64)
    (if (i32.ge_u (local.get $at) (global.get $len))
      (then (return_call $finish (local.get $words) (local.get $hash))))
    (return_call_indirect (type $state) (local.get $at) (local.get $words) (local.get $hash)
      (i32.load8_u offset=4096 (call $byte (local.get $at)))))

  (func $finish (param $words i32) (param $hash i64) (result i64)
    (global.set $words_seen (local.get $words))
    (call $mix (local.get $hash) (i64.extend_i32_u (local.get $words))))

  (func $space (type $state) (param $at i32) (param $words i32) (param $hash i64) (result i64)
    (return_call $dispatch (i32.add (local.get $at) (i32.const 1)) (local.get $words) (local.get $hash)))

  (func $word (type $state) (param $at i32) (param $words i32) (param $hash i64) (result i64)
    (return_call $letters (local.get $at) (i32.add (local.get $words) (i32.const 1)) (local.get $hash)
      (i64.const 0xcbf29ce484222325)))

  ;; One more argument than its callers have.
  (func $letters (param $at i32) (param $words i32) (param $hash i64) (param $word i64) (result i64)
    (if (i32.ne (i32.load8_u offset=4096 (call $byte (local.get $at))) (i32.const 1))
      (then (return_call $dispatch (local.get $at) (local.get $words)
        (call $mix (local.get $hash) (local.get $word)))))
    (return_call $letters (i32.add (local.get $at) (i32.const 1)) (local.get $words) (local.get $hash)
      (i64.mul (i64.xor (local.get $word) (i64.extend_i32_u (call $byte (local.get $at)))) (i64.const 0x100000001b3))))

  (func $number (type $state) (param $at i32) (param $words i32) (param $hash i64) (result i64)
    (return_call $digits (local.get $at) (local.get $words) (local.get $hash) (f64.const 0) (f64.const 1)))

  ;; Even and odd digits alternate between two functions with floating-point arguments.
  (func $digits (param $at i32) (param $words i32) (param $hash i64) (param $value f64) (param $scale f64) (result i64)
    (if (i32.ne (i32.load8_u offset=4096 (call $byte (local.get $at))) (i32.const 2))
      (then (return_call $dispatch (local.get $at) (local.get $words)
        (i64.add (local.get $hash) (i64.reinterpret_f64 (f64.mul (local.get $value) (local.get $scale)))))))
    (return_call $odd_digits (i32.add (local.get $at) (i32.const 1)) (local.get $words) (local.get $hash)
      (f64.add (f64.mul (local.get $value) (f64.const 10))
        (f64.convert_i32_u (i32.sub (call $byte (local.get $at)) (i32.const 48))))
      (local.get $scale)))

  (func $odd_digits (param $at i32) (param $words i32) (param $hash i64) (param $value f64) (param $scale f64) (result i64)
    (return_call $digits (local.get $at) (local.get $words) (local.get $hash) (local.get $value)
      (f64.mul (local.get $scale) (f64.const 0.5))))

  (func $mark (type $state) (param $at i32) (param $words i32) (param $hash i64) (result i64)
    (return_call $dispatch (i32.add (local.get $at) (i32.const 1)) (local.get $words)
      (i64.rotl (local.get $hash) (i64.const 9))))

  (func $kernel (result i64)
    (i32.store8 offset=8192 (global.get $len) (i32.const 0)) ;; a space after the last byte ends any token
    (call $dispatch (i32.const 0) (i32.const 0) (i64.const 0)))

  (func $report (call $put_field (i64.const 0x7364726f77) (i64.extend_i32_u (global.get $words_seen))))) ;; "words"
