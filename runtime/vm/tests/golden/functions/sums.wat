;;! opt
;; Sums of three, one a constant: one instruction where there is such, and none for the middle.
(module
  (memory 1)
  (func (param i32 i32) (result i32)
    (i32.add (i32.add (local.get 0) (local.get 1)) (i32.const 7)))
  (func (param i32 i32) (result i32)
    (local i32)
    (local.set 2 (i32.sub (local.get 0) (i32.const 320)))
    (i32.add
      (i32.load (i32.add (local.get 2) (i32.shl (local.get 1) (i32.const 2))))
      (i32.load (i32.add (local.get 1) (local.get 2))))))
