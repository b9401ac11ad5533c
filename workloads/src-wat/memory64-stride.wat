;; A 64-bit memory beside the 32-bit one that WASI needs: a transpose and a prefix sum over a matrix of
;; 64-bit integers addressed with i64 arithmetic, with constant offsets, memory.grow, memory.fill and
;; memory.copy in their 64-bit forms.
(module
  ;;@prelude
  (memory (export "memory") 1)
  (memory $big i64 1 4096)
  (global $n (mut i64) (i64.const 0))
  (global $pages (mut i64) (i64.const 0))

  (func $address (param $matrix i64) (param $row i64) (param $column i64) (result i64)
    (i64.add
      (i64.mul (local.get $matrix) (i64.mul (i64.mul (global.get $n) (global.get $n)) (i64.const 8)))
      (i64.shl (i64.add (i64.mul (local.get $row) (global.get $n)) (local.get $column)) (i64.const 3))))

  (func $setup (param $small i32)
    (global.set $n (select (i64.const 128) (i64.const 640) (local.get $small)))
    (drop (memory.grow $big (i64.add (i64.const 1)
      (i64.shr_u (i64.mul (i64.mul (global.get $n) (global.get $n)) (i64.const 24)) (i64.const 16)))))
    (global.set $pages (memory.size $big)))

  (func $transpose (param $from i64) (param $to i64) (local $i i64) (local $j i64)
    (loop $rows
      (local.set $j (i64.const 0))
      (loop $columns
        (i64.store $big
          (call $address (local.get $to) (local.get $j) (local.get $i))
          (i64.load $big (call $address (local.get $from) (local.get $i) (local.get $j))))
        (br_if $columns (i64.lt_u (local.tee $j (i64.add (local.get $j) (i64.const 1))) (global.get $n))))
      (br_if $rows (i64.lt_u (local.tee $i (i64.add (local.get $i) (i64.const 1))) (global.get $n)))))

  ;; Sums in place with the neighbour before, through a constant offset; returns the last sum.
  (func $prefix_sums (param $matrix i64) (result i64) (local $at i64) (local $end i64) (local $sum i64)
    (local.set $at (call $address (local.get $matrix) (i64.const 0) (i64.const 0)))
    (local.set $end (i64.sub (call $address (i64.add (local.get $matrix) (i64.const 1)) (i64.const 0) (i64.const 0)) (i64.const 8)))
    (loop $more
      (local.set $sum (i64.add (i64.load $big (local.get $at)) (i64.load32_u $big offset=12 (local.get $at))))
      (i64.store $big offset=8 (local.get $at)
        (i64.add (local.get $sum) (i64.rotl (i64.load $big offset=8 (local.get $at)) (i64.const 1))))
      (br_if $more (i64.lt_u (local.tee $at (i64.add (local.get $at) (i64.const 8))) (local.get $end))))
    (local.get $sum))

  (func $kernel (result i64) (local $at i64) (local $end i64) (local $value i64) (local $sum i64) (local $pass i32)
    (memory.fill $big (i64.const 0) (i32.const 0) (i64.shl (global.get $pages) (i64.const 16)))
    (local.set $end (call $address (i64.const 1) (i64.const 0) (i64.const 0)))
    (local.set $value (i64.const 1))
    (loop $fill
      (local.set $value (i64.add (i64.mul (local.get $value) (i64.const 6364136223846793005)) (i64.const 1442695040888963407)))
      (i64.store $big (local.get $at) (local.get $value))
      (br_if $fill (i64.lt_u (local.tee $at (i64.add (local.get $at) (i64.const 8))) (local.get $end))))
    (loop $passes
      (call $transpose (i64.const 0) (i64.const 1))
      (local.set $sum (call $mix (local.get $sum) (call $prefix_sums (i64.const 1))))
      (call $transpose (i64.const 1) (i64.const 2))
      (local.set $sum (call $mix (local.get $sum) (call $prefix_sums (i64.const 2))))
      (memory.copy $big $big
        (i64.const 0)
        (call $address (i64.const 2) (i64.const 0) (i64.const 0))
        (local.get $end))
      (br_if $passes (i32.lt_u (local.tee $pass (i32.add (local.get $pass) (i32.const 1))) (i32.const 5))))
    (local.get $sum))

  (func $report
    (call $put_field (i64.const 0x6e) (global.get $n))                 ;; "n"
    (call $put_field (i64.const 0x7365676170) (global.get $pages)))) ;; "pages"
