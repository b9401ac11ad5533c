;;! opt
;; Structures copied and cleared: short bulk operations of constant lengths are loads and stores.
(module
  (memory 1)
  (func (param i32 i32)
    (memory.copy (local.get 0) (local.get 1) (i32.const 28))
    (memory.fill (local.get 1) (i32.const 0) (i32.const 40))))
