;; Fibonacci by double recursion: nothing but calls, compares and adds, so it measures the price of a
;; direct call and return.
(module
  ;;@prelude
  (memory (export "memory") 1)
  (global $n (mut i32) (i32.const 0))
  (global $result (mut i64) (i64.const 0))

  (func $fib (param $n i32) (result i64)
    (if (result i64) (i32.lt_u (local.get $n) (i32.const 2))
      (then (i64.extend_i32_u (local.get $n)))
      (else
        (i64.add
          (call $fib (i32.sub (local.get $n) (i32.const 1)))
          (call $fib (i32.sub (local.get $n) (i32.const 2)))))))

  (func $setup (param $small i32)
    (global.set $n (select (i32.const 26) (i32.const 34) (local.get $small))))

  (func $kernel (result i64)
    (global.set $result (call $fib (global.get $n)))
    (call $mix (i64.const 0) (global.get $result)))

  (func $report
    (call $put_field (i64.const 0x626966) (global.get $result)))) ;; "fib"
