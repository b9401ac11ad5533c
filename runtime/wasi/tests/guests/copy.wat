;; Copies the file `input` of the first preopened directory to standard output.
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read"
    (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 100) "input")
  (func (export "_start")
    (local $error i32)
    (local.set $error
      (call $path_open
        (i32.const 3) (i32.const 1) (i32.const 100) (i32.const 5) (i32.const 0)
        (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0)))
    (if (local.get $error)
      (then (call $proc_exit (local.get $error))))
    ;; Five bytes at a time.
    (i32.store (i32.const 8) (i32.const 1000))
    (loop $more
      (i32.store (i32.const 12) (i32.const 5))
      (if (call $fd_read (i32.load (i32.const 0)) (i32.const 8) (i32.const 1) (i32.const 12))
        (then unreachable))
      (if (i32.load (i32.const 12))
        (then
          (if (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16))
            (then unreachable))
          (br $more))))))
