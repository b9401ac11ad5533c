;; Divisions by constants, which cannot trap, and by a variable, which can twice.
(module (func (param i32 i32) (result i32)
  (i32.add
    (i32.add
      (i32.div_u (local.get 0) (i32.const 10))
      (i32.rem_s (local.get 0) (i32.const 8)))
    (i32.div_s (local.get 0) (local.get 1)))))
