;; A 64-bit memory: the sum of index, offset and size must not wrap.
(module (memory i64 1) (func (param i64) (result i64)
  (i64.add
    (i64.load offset=8 (local.get 0))
    (i64.load offset=0xffffffffffff (local.get 0)))))
