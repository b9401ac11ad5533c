;; Dispatch: the check of the index, the table, a target that takes a value.
(module (func (param i32) (result i32)
  (block $outer (result i32)
    (block $two (block $one (block $zero
      (br_table $zero $one $two $one $two (local.get 0)))
      (br $outer (i32.const 10)))
      (br $outer (i32.const 11)))
    (i32.const 12))))
