;; Floats: constants, arithmetic in registers, a loop.
;;! opt
(module (func (param $x f64) (param $n i32) (result f64) (local $sum f64)
  (loop $again
    (local.set $sum (f64.add
      (f64.mul (local.get $sum) (local.get $x))
      (f64.convert_i32_u (local.get $n))))
    (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
  (f64.sqrt (f64.abs (local.get $sum)))))
