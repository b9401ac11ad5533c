;;! opt
;; Bits of two words shifted together, and one operand negated: one instruction each.
(module
  (func (param i64 i64) (result i64)
    (i64.and
      (i64.or
        (i64.shl (local.get 0) (i64.const 3))
        (i64.shr_u (local.get 1) (i64.const 61)))
      (i64.xor (local.get 1) (i64.const -1)))))
