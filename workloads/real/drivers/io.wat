;; Standard input and output for a library that has no calls of its own: preloaded between the
;; library ("lib") and its driver, it reads and writes in the library's memory.
(module
  (import "wasi_snapshot_preview1" "fd_read"
    (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "lib" "memory" (memory 0))
  ;; The calls above look for their buffers in the caller's own export of this name.
  (export "memory" (memory 0))

  ;; Everything on stdin (at most 1 MiB), as address and length. It lies in pages that this function
  ;; adds to the memory; the library may take them over once it grows its heap.
  (func (export "read_all") (result i32 i32)
    (local $page i32) (local $start i32) (local $length i32) (local $n i32)
    (local.set $page (i32.shl (memory.grow (i32.const 17)) (i32.const 16)))
    (local.set $start (i32.add (local.get $page) (i32.const 0x10000)))
    (block $done
      (loop $more
        (i32.store (local.get $page) (i32.add (local.get $start) (local.get $length)))
        (i32.store offset=4 (local.get $page) (i32.sub (i32.const 0x100000) (local.get $length)))
        (if (call $fd_read (i32.const 0) (local.get $page) (i32.const 1)
              (i32.add (local.get $page) (i32.const 8)))
          (then (unreachable)))
        (local.set $n (i32.load offset=8 (local.get $page)))
        (br_if $done (i32.eqz (local.get $n)))
        (local.set $length (i32.add (local.get $length) (local.get $n)))
        (br $more)))
    (local.get $start)
    (local.get $length))

  ;; Writes bytes to stdout, however few the host takes at a time.
  (func (export "write") (param $at i32) (param $length i32)
    (local $page i32) (local $n i32)
    (local.set $page (i32.shl (memory.grow (i32.const 1)) (i32.const 16)))
    (block $done
      (loop $more
        (br_if $done (i32.eqz (local.get $length)))
        (i32.store (local.get $page) (local.get $at))
        (i32.store offset=4 (local.get $page) (local.get $length))
        (if (call $fd_write (i32.const 1) (local.get $page) (i32.const 1)
              (i32.add (local.get $page) (i32.const 8)))
          (then (unreachable)))
        (local.set $n (i32.load offset=8 (local.get $page)))
        (local.set $at (i32.add (local.get $at) (local.get $n)))
        (local.set $length (i32.sub (local.get $length) (local.get $n)))
        (br $more)))))
