;; Explicit checks of a 32-bit memory; the second access is another size and offset.
;;! checked
(module (memory 1) (func (param i32 i64)
  (i64.store offset=8 (local.get 0) (local.get 1))
  (i32.store8 offset=0xfffff (local.get 0) (i32.const 1))))
