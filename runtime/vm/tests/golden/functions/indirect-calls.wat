;;! opt
;; The number of the type is part of the comparison on x86-64, where it is written when the code is put
;; in place; on ARM64 it comes from the context.
(module
  (type $unary (func (param i32) (result i32)))
  (table 4 funcref)
  (func (param i32 i32) (result i32)
    (call_indirect (type $unary)
      (call_indirect (type $unary) (local.get 0) (local.get 1))
      (i32.const 2))))
