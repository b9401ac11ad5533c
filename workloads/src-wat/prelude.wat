  ;; ---- The bench protocol for wat workloads -------------------------------------------------------
  ;; The build pastes this text where a workload says `;;@prelude`, first thing in its module.
  ;;
  ;; The workload defines a first memory, exported as "memory", whose first 4096 bytes belong to the
  ;; prelude, and three functions:
  ;;   (func $setup (param $small i32))        builds the inputs; not timed
  ;;   (func $kernel (result i64))             the timed work; the same checksum on every call
  ;;   (func $report)                          prints a few lines, with the $put functions below
  ;;
  ;; Memory map: 16 iovec, 24 written or read, 32 clock, 40 argc, 44 bytes of arguments, 48 a step, 64.. digits,
  ;; 128.. argv, 512.. argument text, 1024..3072 output buffer.

  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))

  (global $out_len (mut i32) (i32.const 0))

  (func $put_flush (local $at i32)
    (local.set $at (i32.const 1024))
    (block $done
      (loop $more
        (br_if $done (i32.eqz (global.get $out_len)))
        (i32.store (i32.const 16) (local.get $at))
        (i32.store (i32.const 20) (global.get $out_len))
        (if (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24))
          (then (call $proc_exit (i32.const 1))))
        (local.set $at (i32.add (local.get $at) (i32.load (i32.const 24))))
        (global.set $out_len (i32.sub (global.get $out_len) (i32.load (i32.const 24))))
        (br $more))))

  (func $put_char (param $c i32)
    (if (i32.eq (global.get $out_len) (i32.const 2048))
      (then (call $put_flush)))
    (i32.store8 offset=1024 (global.get $out_len) (local.get $c))
    (global.set $out_len (i32.add (global.get $out_len) (i32.const 1))))

  ;; Up to eight ASCII characters, packed little-endian: put "iter " as 0x2072657469.
  (func $put_packed (param $text i64)
    (loop $more
      (call $put_char (i32.and (i32.wrap_i64 (local.get $text)) (i32.const 255)))
      (br_if $more (i64.ne (local.tee $text (i64.shr_u (local.get $text) (i64.const 8))) (i64.const 0)))))

  (func $put_u64 (param $value i64) (local $at i32)
    (local.set $at (i32.const 96))
    (loop $more
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 (local.get $at)
        (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $value) (i64.const 10)))))
      (br_if $more
        (i64.ne (local.tee $value (i64.div_u (local.get $value) (i64.const 10))) (i64.const 0))))
    (loop $digits
      (call $put_char (i32.load8_u (local.get $at)))
      (br_if $digits
        (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (i32.const 96)))))

  (func $put_hex (param $value i64) (local $digit i32) (local $n i32)
    (loop $more
      (local.set $value (i64.rotl (local.get $value) (i64.const 4)))
      (local.set $digit (i32.and (i32.wrap_i64 (local.get $value)) (i32.const 15)))
      (call $put_char (i32.add (local.get $digit)
        (select (i32.const 87) (i32.const 48) (i32.gt_u (local.get $digit) (i32.const 9)))))
      (br_if $more
        (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 16)))))

  ;; One line `label value`.
  (func $put_field (param $label i64) (param $value i64)
    (call $put_packed (local.get $label))
    (call $put_char (i32.const 32))
    (call $put_u64 (local.get $value))
    (call $put_char (i32.const 10)))

  ;; Folds a value into a checksum: multiply, then let the high bits reach the low ones.
  (func $mix (param $sum i64) (param $value i64) (result i64)
    (local.set $sum (i64.mul (i64.xor (local.get $sum) (local.get $value)) (i64.const 0x9e3779b97f4a7c15)))
    (i64.xor (local.get $sum) (i64.shr_u (local.get $sum) (i64.const 29))))

  (func $now_ns (result i64)
    (drop (call $clock_time_get (i32.const 1) (i64.const 1) (i32.const 32)))
    (i64.load (i32.const 32)))

  (func $usage
    (call $put_packed (i64.const 0x203a6567617375)) ;; "usage: "
    (call $put_packed (i64.const 0x5d6c6c616d735b)) ;; "[small]"
    (call $put_packed (i64.const 0x636e6562207c20)) ;; " | benc"
    (call $put_packed (i64.const 0x6d735b204e2068)) ;; "h N [sm"
    (call $put_packed (i64.const 0x207c205d6c6c61)) ;; "all] | "
    (call $put_packed (i64.const 0x74732068636e6562)) ;; "bench st"
    (call $put_packed (i64.const 0x6c616d735b207065)) ;; "ep [smal"
    (call $put_packed (i64.const 0xa5d6c))           ;; "l]\n"
    (call $put_flush)
    (call $proc_exit (i32.const 2)))

  ;; The address of argument $i, or of an empty string past the last.
  (func $arg (param $i i32) (result i32)
    (if (result i32) (i32.lt_u (local.get $i) (i32.load (i32.const 40)))
      (then (i32.load offset=128 (i32.shl (local.get $i) (i32.const 2))))
      (else (i32.const 56))))

  ;; Whether argument $i is the text of the low five bytes of $text ("small" or "bench").
  (func $arg_is (param $i i32) (param $text i64) (result i32)
    (i64.eq (i64.and (i64.load (call $arg (local.get $i))) (i64.const 0xffffffffffff)) (local.get $text)))

  ;; The next byte of standard input; 0 at its end.
  (func $read_step (result i32)
    (i32.store (i32.const 16) (i32.const 48))
    (i32.store (i32.const 20) (i32.const 1))
    (if (call $fd_read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 24))
      (then (return (i32.const 0))))
    (select (i32.load8_u (i32.const 48)) (i32.const 0) (i32.load (i32.const 24))))

  (func $iteration (param $number i64) (param $kernels i32) (local $ns i64) (local $sum i64)
    (local.set $ns (call $now_ns))
    (loop $again
      (local.set $sum (call $kernel))
      (br_if $again (local.tee $kernels (i32.sub (local.get $kernels) (i32.const 1)))))
    (local.set $ns (i64.sub (call $now_ns) (local.get $ns)))
    (call $put_packed (i64.const 0x2072657469)) ;; "iter "
    (call $put_u64 (local.get $number))
    (call $put_char (i32.const 32))
    (call $put_u64 (local.get $ns))
    (call $put_char (i32.const 32))
    (call $put_hex (local.get $sum))
    (call $put_char (i32.const 10)))

  (func $main (export "_start") (local $at i32) (local $bench i32) (local $step i32) (local $small i32)
                                (local $p i32) (local $n i64) (local $i i64) (local $sum i64) (local $kernels i32)
    (drop (call $args_sizes_get (i32.const 40) (i32.const 44)))
    (if (i32.or (i32.gt_u (i32.load (i32.const 40)) (i32.const 96))
                (i32.gt_u (i32.load (i32.const 44)) (i32.const 504)))
      (then (call $usage)))
    (drop (call $args_get (i32.const 128) (i32.const 512)))
    (local.set $at (i32.const 1))
    (local.set $bench (call $arg_is (i32.const 1) (i64.const 0x68636e6562)))
    (if (local.get $bench)
      (then
        (local.set $p (call $arg (i32.const 2)))
        (if (i32.eqz (i32.load8_u (local.get $p))) (then (call $usage)))
        ;; "step" with its end.
        (local.set $step (i64.eq (i64.and (i64.load (local.get $p)) (i64.const 0xffffffffff)) (i64.const 0x70657473)))
        (block $parsed
          (br_if $parsed (local.get $step))
          (loop $digit
            (br_if $parsed (i32.eqz (i32.load8_u (local.get $p))))
            (if (i32.gt_u (i32.sub (i32.load8_u (local.get $p)) (i32.const 48)) (i32.const 9))
              (then (call $usage)))
            (local.set $n (i64.add (i64.mul (local.get $n) (i64.const 10))
              (i64.extend_i32_u (i32.sub (i32.load8_u (local.get $p)) (i32.const 48)))))
            (local.set $p (i32.add (local.get $p) (i32.const 1)))
            (br $digit)))
        (if (i64.eqz (i64.or (local.get $n) (i64.extend_i32_u (local.get $step)))) (then (return)))
        (local.set $at (i32.const 3))))
    (local.set $small (call $arg_is (local.get $at) (i64.const 0x6c6c616d73)))
    (if (i32.gt_u (i32.load (i32.const 40)) (i32.add (local.get $at) (local.get $small)))
      (then (call $usage)))

    (call $setup (local.get $small))
    (if (i32.eqz (local.get $bench))
      (then
        (local.set $sum (call $kernel))
        (call $report)
        (call $put_packed (i64.const 0x6d75736b63656863)) ;; "checksum"
        (call $put_char (i32.const 32))
        (call $put_hex (local.get $sum))
        (call $put_char (i32.const 10)))
      (else
        (block $end
          (loop $next
            (local.set $kernels (i32.const 1))
            (if (local.get $step)
              (then
                (br_if $end (i32.eqz (local.tee $kernels (call $read_step))))))
            (call $iteration (local.get $i) (local.get $kernels))
            (local.set $i (i64.add (local.get $i) (i64.const 1)))
            (if (local.get $step)
              (then
                (call $put_flush)
                (br $next)))
            (br_if $next (i64.lt_u (local.get $i) (local.get $n)))))))
    (call $put_flush))
  ;; ---- End of the prelude --------------------------------------------------------------------------
