;; A loop over a guarded memory: no check, one access for each addition.
;;! opt
(module (memory 1) (func (param $at i32) (param $end i32) (result i32) (local $sum i32)
  (loop $again
    (local.set $sum (i32.add (local.get $sum) (i32.load offset=16 (local.get $at))))
    (local.set $at (i32.add (local.get $at) (i32.const 4)))
    (br_if $again (i32.lt_u (local.get $at) (local.get $end))))
  (local.get $sum)))
