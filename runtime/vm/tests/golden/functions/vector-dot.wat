;; Vectors: loads, a product, a sum of lanes, a value across the loop.
(module (memory 1) (func (param $a i32) (param $b i32) (param $n i32) (result i32)
  (local $sum v128)
  (loop $again
    (local.set $sum (i32x4.add (local.get $sum)
      (i32x4.dot_i16x8_s (v128.load (local.get $a)) (v128.load offset=16 (local.get $b)))))
    (local.set $a (i32.add (local.get $a) (i32.const 16)))
    (local.set $b (i32.add (local.get $b) (i32.const 16)))
    (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
  (i32.add
    (i32x4.extract_lane 0 (local.get $sum))
    (i32x4.extract_lane 3 (i32x4.shl (local.get $sum) (i32.const 3))))))
