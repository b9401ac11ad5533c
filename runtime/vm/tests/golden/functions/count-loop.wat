;;! opt
;; A sum over bytes up to an index or to a zero: turns are copied, with their questions.
(module
  (memory 1)
  (func (param $at i32) (param $n i32) (result i32)
    (local $i i32) (local $sum i32) (local $byte i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
        (local.set $byte (i32.load8_u (i32.add (local.get $at) (local.get $i))))
        (br_if $done (i32.eqz (local.get $byte)))
        (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 31)) (local.get $byte)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (i32.sub (local.get $sum) (local.get $i))))
