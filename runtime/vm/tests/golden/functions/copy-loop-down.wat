;;! opt checked
;; Elements of an array moved up by one place, the last one first, as insertion does: two words a
;; turn, in a memory with 64-bit indices.
(module
  (memory i64 1)
  (func (param $last i64) (param $n i64)
    (loop $next
      (i32.store offset=8 (local.get $last) (i32.load offset=4 (local.get $last)))
      (i32.store offset=4 (local.get $last) (i32.load (local.get $last)))
      (local.set $last (i64.sub (local.get $last) (i64.const 8)))
      (local.set $n (i64.sub (local.get $n) (i64.const 2)))
      (br_if $next (i64.gt_s (local.get $n) (i64.const 1))))))
