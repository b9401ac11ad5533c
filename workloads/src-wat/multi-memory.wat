;; Three memories: a record log, a hash index over it and a scratch buffer, as a runtime that isolates
;; its parts would keep them. Loads and stores alternate between memories, so an engine that keeps only
;; one base in a register pays; copies cross from one memory to another.
(module
  ;;@prelude
  (memory (export "memory") 1)
  (memory $log 192)
  (memory $index 16 64)
  (memory $scratch 2)
  (global $records (mut i32) (i32.const 0))
  (global $hits (mut i32) (i32.const 0))
  (global $seed (mut i64) (i64.const 0))

  (func $random (result i64) (local $s i64)
    (local.set $s (global.get $seed))
    (local.set $s (i64.xor (local.get $s) (i64.shl (local.get $s) (i64.const 13))))
    (local.set $s (i64.xor (local.get $s) (i64.shr_u (local.get $s) (i64.const 7))))
    (local.set $s (i64.xor (local.get $s) (i64.shl (local.get $s) (i64.const 17))))
    (global.set $seed (local.get $s))
    (local.get $s))

  (func $hash (param $key i32) (result i32)
    (i32.shr_u (i32.mul (local.get $key) (i32.const 0x9e3779b1)) (i32.const 14)))

  ;; The index: 2^18 slots of 4 bytes, each the number of a record plus one, linear probing.
  (func $insert (param $key i32) (param $record i32) (local $slot i32)
    (local.set $slot (call $hash (local.get $key)))
    (block $free
      (loop $probe
        (br_if $free (i32.eqz (i32.load $index (i32.shl (local.get $slot) (i32.const 2)))))
        (local.set $slot (i32.and (i32.add (local.get $slot) (i32.const 1)) (i32.const 0x3ffff)))
        (br $probe)))
    (i32.store $index (i32.shl (local.get $slot) (i32.const 2)) (i32.add (local.get $record) (i32.const 1))))

  ;; The number of the first record with that key, plus one, or zero.
  (func $find (param $key i32) (result i32) (local $slot i32) (local $entry i32)
    (local.set $slot (call $hash (local.get $key)))
    (loop $probe (result i32)
      (local.set $entry (i32.load $index (i32.shl (local.get $slot) (i32.const 2))))
      (if (i32.eqz (local.get $entry)) (then (return (i32.const 0))))
      (if (i32.eq (local.get $key)
                  (i32.load $log (i32.shl (i32.sub (local.get $entry) (i32.const 1)) (i32.const 6))))
        (then (return (local.get $entry))))
      (local.set $slot (i32.and (i32.add (local.get $slot) (i32.const 1)) (i32.const 0x3ffff)))
      (br $probe)))

  (func $setup (param $small i32)
    (global.set $records (select (i32.const 10000) (i32.const 190000) (local.get $small))))

  (func $kernel (result i64) (local $i i32) (local $word i32) (local $entry i32) (local $sum i64) (local $byte i32)
    (memory.fill $index (i32.const 0) (i32.const 0) (i32.const 1048576))
    (global.set $seed (i64.const 0x2545f4914f6cdd1d))
    (global.set $hits (i32.const 0))
    ;; Records of 64 bytes: built in the scratch memory, then appended to the log.
    (loop $append
      (local.set $word (i32.const 0))
      (loop $build
        (i64.store $scratch (local.get $word) (call $random))
        (br_if $build (i32.lt_u (local.tee $word (i32.add (local.get $word) (i32.const 8))) (i32.const 64))))
      (i32.store $scratch (i32.const 0)
        (i32.rem_u (i32.load $scratch (i32.const 0)) (i32.shl (global.get $records) (i32.const 1))))
      (memory.copy $log $scratch (i32.shl (local.get $i) (i32.const 6)) (i32.const 0) (i32.const 64))
      (call $insert (i32.load $scratch (i32.const 0)) (local.get $i))
      (br_if $append (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (global.get $records))))
    ;; Queries copy the record found back and fold it into a checksum.
    (local.set $i (i32.const 0))
    (loop $query
      (local.set $entry (call $find (i32.wrap_i64 (i64.rem_u (call $random)
        (i64.shl (i64.extend_i32_u (global.get $records)) (i64.const 1))))))
      (if (local.get $entry)
        (then
          (global.set $hits (i32.add (global.get $hits) (i32.const 1)))
          (memory.copy $scratch $log (i32.const 4096)
            (i32.shl (i32.sub (local.get $entry) (i32.const 1)) (i32.const 6)) (i32.const 64))
          (local.set $byte (i32.const 0))
          (loop $fold
            (local.set $sum (i64.add
              (i64.rotl (local.get $sum) (i64.const 5))
              (i64.add
                (i64.load $scratch offset=4096 (local.get $byte))
                (i64.load32_u $index (i32.shl (local.get $byte) (i32.const 9))))))
            (br_if $fold (i32.lt_u (local.tee $byte (i32.add (local.get $byte) (i32.const 8))) (i32.const 64))))))
      (br_if $query (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
        (i32.shl (global.get $records) (i32.const 1)))))
    (call $mix (local.get $sum) (i64.extend_i32_u (global.get $hits))))

  (func $report
    (call $put_field (i64.const 0x7364726f636572) (i64.extend_i32_u (global.get $records))) ;; "records"
    (call $put_field (i64.const 0x73746968) (i64.extend_i32_u (global.get $hits)))))        ;; "hits"
