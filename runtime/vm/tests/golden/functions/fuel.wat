;; Each piece of operators is charged at its start.
;;! fuel
(module (func (param i32) (result i32)
  (loop $again
    (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
  (local.get 0)))
