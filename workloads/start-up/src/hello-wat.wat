;; Start-up case: one line from a module written by hand, without any library.
(module
  ;;@prelude
  (memory (export "memory") 1)
  (func $setup (param $small i32))
  (func $kernel (result i64) (call $mix (i64.const 0) (i64.const 5)))
  (func $report
    (call $put_packed (i64.const 0x57202c6f6c6c6548)) ;; "Hello, W"
    (call $put_packed (i64.const 0xa21646c726f))))    ;; "orld!\n"
