;; The checks of a table call: bounds, null, signature; then the callee's context.
(module (type $t (func (param i32) (result i32))) (table 10 funcref)
  (func (param i32 i32) (result i32)
    (call_indirect (type $t) (local.get 1) (local.get 0))))
