;; A loop that clears words: when many are left, the runtime clears all but the last ones.
(module
  (memory 1)
  (func (param i32 i32)
    (loop
      (i32.store (local.get 0) (i32.const 0))
      (br_if 0 (i32.lt_u
        (local.tee 0 (i32.add (local.get 0) (i32.const 4)))
        (local.get 1))))))
