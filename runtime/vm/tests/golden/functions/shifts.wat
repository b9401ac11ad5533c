;; Rotations and shifts by constants and by variables, at both widths.
(module (func (param i32 i32 i64 i64) (result i64)
  (i64.xor
    (i64.extend_i32_u (i32.add
      (i32.rotl (local.get 0) (i32.const 13))
      (i32.shr_u (local.get 0) (local.get 1))))
    (i64.add
      (i64.rotr (local.get 2) (local.get 3))
      (i64.shr_s (local.get 2) (i64.const 63))))))
