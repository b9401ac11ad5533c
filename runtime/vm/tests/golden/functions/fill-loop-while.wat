;;! opt
;; Doubles set to zero, two at a time, with the question at the start of each turn. The loop jumps
;; once in a turn nevertheless.
(module
  (memory 1)
  (func (param $from i32) (param $to i32)
    (block $out
      (loop $next
        (br_if $out (i32.eq (local.get $from) (local.get $to)))
        (f64.store (local.get $from) (f64.const 0))
        (f64.store offset=8 (local.get $from) (f64.const 0))
        (local.set $from (i32.add (local.get $from) (i32.const 16)))
        (br $next)))))
