;; Callees in place of calls: one of one operator, one that returns early, one in another, in a loop.
;;! opt
(module
  (memory 1)
  (func $sum (param $at i32) (param $end i32) (result i32) (local $sum i32)
    (loop $more
      (local.set $sum (i32.add (local.get $sum) (call $clamped (local.get $at))))
      (br_if $more
        (i32.lt_u (local.tee $at (call $next (local.get $at))) (local.get $end))))
    (local.get $sum))
  (func $next (param i32) (result i32) (i32.add (local.get 0) (i32.const 4)))
  (func $clamped (param i32) (result i32) (local i32)
    (if (i32.gt_s (local.tee 1 (call $at (local.get 0))) (i32.const 100))
      (then (return (i32.const 100))))
    (local.get 1))
  (func $at (param i32) (result i32) (i32.load offset=16 (local.get 0))))
