;; Comparisons that the next operator consumes: no flag becomes a register.
(module (func (param i32 i64 f64) (result i32)
  (if (f64.lt (local.get 2) (f64.const 0)) (then (return (i32.const -1))))
  (if (i64.eqz (local.get 1)) (then (return (i32.const 0))))
  (select (i32.const 7) (local.get 0) (i32.gt_s (local.get 0) (i32.const 7)))))
