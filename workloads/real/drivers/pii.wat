;; Redacts the text on stdin, with a fixed salt so that the marks are the same every time.
(module
  (import "lib" "memory" (memory 0))
  (import "lib" "allocate" (func $allocate (param i32) (result i32)))
  (import "lib" "init_config" (func $init_config (param i32 i32)))
  (import "lib" "redact" (func $redact (param i32 i32) (result i64)))
  (import "io" "read_all" (func $read_all (result i32 i32)))
  (import "io" "write" (func $write (param i32 i32)))
  (export "memory" (memory 0))
  (data $config "{\"salt\":\"a fixed salt of the test corpus\",\"entity_type_labels\":true}")

  (func (export "_start")
    (local $from i32) (local $length i32) (local $to i32) (local $result i64)
    (call $read_all)
    (local.set $length)
    (local.set $from)
    (local.set $to (call $allocate (local.get $length)))
    (memory.copy (local.get $to) (local.get $from) (local.get $length))
    (local.set $from (call $allocate (i32.const 68)))
    (memory.init $config (local.get $from) (i32.const 0) (i32.const 68))
    (call $init_config (local.get $from) (i32.const 68))
    ;; Address in the upper half, length in the lower.
    (local.set $result (call $redact (local.get $to) (local.get $length)))
    (call $write
      (i32.wrap_i64 (i64.shr_u (local.get $result) (i64.const 32)))
      (i32.wrap_i64 (local.get $result)))))
