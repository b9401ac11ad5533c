;;! opt
;; What is left of a match in a decompressor: bytes copied upwards, the ranges may overlap.
(module
  (memory 1)
  (func (param $to i32) (param $from i32) (param $n i32)
    (loop $next
      (i32.store8 (local.get $to) (i32.load8_u (local.get $from)))
      (local.set $to (i32.add (local.get $to) (i32.const 1)))
      (local.set $from (i32.add (local.get $from) (i32.const 1)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))
