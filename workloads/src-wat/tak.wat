;; Takeuchi's function, Ackermann's function and mutual recursion with many arguments: deep call
;; trees with several parameters, whose values must survive calls.
(module
  ;;@prelude
  (memory (export "memory") 1)
  (global $x (mut i32) (i32.const 0))
  (global $y (mut i32) (i32.const 0))
  (global $depth (mut i32) (i32.const 0))
  (global $tak_result (mut i32) (i32.const 0))
  (global $ackermann_result (mut i32) (i32.const 0))

  (func $tak (param $x i32) (param $y i32) (param $z i32) (result i32)
    (if (result i32) (i32.ge_s (local.get $y) (local.get $x))
      (then (local.get $z))
      (else
        (call $tak
          (call $tak (i32.sub (local.get $x) (i32.const 1)) (local.get $y) (local.get $z))
          (call $tak (i32.sub (local.get $y) (i32.const 1)) (local.get $z) (local.get $x))
          (call $tak (i32.sub (local.get $z) (i32.const 1)) (local.get $x) (local.get $y))))))

  (func $ackermann (param $m i32) (param $n i32) (result i32)
    (if (i32.eqz (local.get $m))
      (then (return (i32.add (local.get $n) (i32.const 1)))))
    (if (i32.eqz (local.get $n))
      (then (return (call $ackermann (i32.sub (local.get $m) (i32.const 1)) (i32.const 1)))))
    (call $ackermann
      (i32.sub (local.get $m) (i32.const 1))
      (call $ackermann (local.get $m) (i32.sub (local.get $n) (i32.const 1)))))

  ;; Hofstadter's female and male sequences call each other; six parameters ride along, half of them
  ;; floating point, so that both register files carry arguments.
  (func $female (param $n i32) (param $a i32) (param $b i64) (param $f f64) (param $g f32) (param $h f64) (result i32)
    (if (i32.eqz (local.get $n)) (then (return (i32.const 1))))
    (i32.sub (local.get $n)
      (call $male
        (call $female (i32.sub (local.get $n) (i32.const 1)) (local.get $a) (local.get $b)
          (local.get $h) (local.get $g) (local.get $f))
        (i32.add (local.get $a) (i32.const 1)) (local.get $b)
        (f64.add (local.get $f) (f64.const 0.5)) (local.get $g) (local.get $h))))

  (func $male (param $n i32) (param $a i32) (param $b i64) (param $f f64) (param $g f32) (param $h f64) (result i32)
    (if (i32.eqz (local.get $n)) (then (return (i32.const 0))))
    (i32.sub (local.get $n)
      (call $female
        (call $male (i32.sub (local.get $n) (i32.const 1)) (local.get $a) (local.get $b)
          (local.get $f) (local.get $g) (local.get $h))
        (local.get $a) (i64.add (local.get $b) (i64.const 1))
        (local.get $f) (f32.add (local.get $g) (f32.const 0.25)) (local.get $h))))

  (func $setup (param $small i32)
    (global.set $x (select (i32.const 14) (i32.const 24) (local.get $small)))
    (global.set $y (select (i32.const 4) (i32.const 26) (local.get $small)))
    (global.set $depth (select (i32.const 16) (i32.const 36) (local.get $small))))

  (func $kernel (result i64) (local $sum i64) (local $i i32)
    (global.set $tak_result (call $tak (global.get $x) (i32.div_u (i32.shl (global.get $x) (i32.const 1)) (i32.const 3)) (i32.div_u (global.get $x) (i32.const 3))))
    (global.set $ackermann_result (call $ackermann (i32.const 2) (i32.mul (global.get $y) (i32.const 100))))
    (local.set $sum (call $mix
      (i64.extend_i32_u (global.get $tak_result))
      (i64.extend_i32_u (global.get $ackermann_result))))
    (loop $more
      (local.set $sum (call $mix (local.get $sum)
        (i64.extend_i32_u (call $female (local.get $i) (i32.const 1) (i64.const 2)
          (f64.const 3) (f32.const 4) (f64.const 5)))))
      (br_if $more (i32.le_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (global.get $depth))))
    (local.get $sum))

  (func $report
    (call $put_field (i64.const 0x6b6174) (i64.extend_i32_u (global.get $tak_result)))            ;; "tak"
    (call $put_field (i64.const 0x6d72656b6361) (i64.extend_i32_u (global.get $ackermann_result))))) ;; "ackerm"
