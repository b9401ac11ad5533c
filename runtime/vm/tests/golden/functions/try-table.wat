;; Calls in a loop that may throw: what the handler reads is in the frame, and the handler behind
;; everything else.
;;! opt
(module
  (import "host" "f" (func $f (param i32) (result i32)))
  (tag $t (param i32 f64))
  (func (param $n i32) (result i32) (local $i i32) (local $sum i32) (local $x f64)
    (loop $again
      (block $next
        (block $caught (result i32 f64)
          (try_table (catch $t $caught) (catch_all $next)
            (local.set $sum (i32.add (local.get $sum) (call $f (local.get $i))))
            (local.set $sum (i32.xor (local.get $sum) (call $g (local.get $sum)))))
          (br $next))
        (local.set $x (f64.add (local.get $x)))
        (local.set $sum (i32.sub (local.get $sum))))
      (br_if $again
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (i32.add (local.get $sum) (i32.trunc_sat_f64_s (local.get $x))))
  (func $g (param i32) (result i32) (call $f (call $f (call $f (local.get 0))))))
