;;! opt
;; Prefix sums in a 64-bit memory: a turn reads what the one before has stored, and does not load it.
(module
  (memory i64 1)
  (func (param $at i64) (param $end i64)
    (loop $next
      (i64.store offset=8 (local.get $at)
        (i64.add (i64.load (local.get $at)) (i64.load offset=8 (local.get $at))))
      (br_if $next
        (i64.lt_u
          (local.tee $at (i64.add (local.get $at) (i64.const 8)))
          (local.get $end))))))
