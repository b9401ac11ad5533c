;;! opt
;; Bytes put together in reverse, as producers write it at either width: one instruction.
(module
  (func (param i32) (result i32)
    (i32.or
      (i32.rotl (i32.and (local.get 0) (i32.const 0xff00ff)) (i32.const 24))
      (i32.and (i32.rotl (local.get 0) (i32.const 8)) (i32.const 0xff00ff))))
  (func (param i64) (result i64)
    (i64.or
      (i64.or
        (i64.or
          (i64.shl (local.get 0) (i64.const 56))
          (i64.shl (i64.and (local.get 0) (i64.const 0xff00)) (i64.const 40)))
        (i64.or
          (i64.shl (i64.and (local.get 0) (i64.const 0xff0000)) (i64.const 24))
          (i64.shl (i64.and (local.get 0) (i64.const 0xff000000)) (i64.const 8))))
      (i64.or
        (i64.or
          (i64.and (i64.shr_u (local.get 0) (i64.const 8)) (i64.const 0xff000000))
          (i64.and (i64.shr_u (local.get 0) (i64.const 24)) (i64.const 0xff0000)))
        (i64.or
          (i64.and (i64.shr_u (local.get 0) (i64.const 40)) (i64.const 0xff00))
          (i64.shr_u (local.get 0) (i64.const 56)))))))
