;;! opt
;; An array of words, set to one value by an index that is compared with its end.
(module
  (memory 1)
  (func (param $array i32) (param $end i32) (param $value i32)
    (local $i i32)
    (loop $next
      (i32.store offset=16
        (i32.add (local.get $array) (i32.shl (local.get $i) (i32.const 2)))
        (local.get $value))
      (br_if $next
        (i32.lt_u
          (local.tee $i (i32.add (local.get $i) (i32.const 1)))
          (local.get $end))))))
