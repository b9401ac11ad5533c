;; Bulk memory operations of many sizes: short copies as in string code, overlapping moves both ways,
;; page-sized copies and fills, segments copied in with memory.init, and tables rearranged with
;; table.copy between indirect calls.
(module
  ;;@prelude
  (memory (export "memory") 64)
  (type $op (func (param i64) (result i64)))
  (table $ops 64 funcref)
  (data $pattern "The bench copies this segment to many places, a little shifted each time: 0123456789abcdef")
  (elem $elems func $triple $flip $turn $third)
  (global $rounds (mut i32) (i32.const 0))

  (func $triple (type $op) (i64.mul (local.get 0) (i64.const 3)))
  (func $flip (type $op) (i64.xor (local.get 0) (i64.const 0x5555555555555555)))
  (func $turn (type $op) (i64.rotl (local.get 0) (i64.const 11)))
  (func $third (type $op) (i64.div_u (local.get 0) (i64.const 3)))

  (func $setup (param $small i32)
    (global.set $rounds (select (i32.const 100) (i32.const 6000) (local.get $small))))

  (func $kernel (result i64) (local $round i32) (local $i i32) (local $sum i64) (local $at i32)
    (memory.fill (i32.const 65536) (i32.const 7) (i32.const 2097152))
    (table.init $ops $elems (i32.const 0) (i32.const 0) (i32.const 4))
    (local.set $i (i32.const 4))
    (loop $double ;; 4 → 64 entries
      (table.copy $ops $ops (local.get $i) (i32.const 0) (local.get $i))
      (br_if $double (i32.lt_u (local.tee $i (i32.shl (local.get $i) (i32.const 1))) (i32.const 64))))
    (loop $rounds
      ;; 256 short copies of 1 to 64 bytes.
      (local.set $i (i32.const 0))
      (loop $short
        (local.set $at (i32.add (i32.const 65536) (i32.mul (local.get $i) (i32.const 97))))
        (memory.init $pattern (local.get $at) (i32.and (local.get $i) (i32.const 15)) (i32.const 40))
        (memory.copy
          (i32.add (local.get $at) (local.get $round))
          (local.get $at)
          (i32.add (i32.and (local.get $i) (i32.const 63)) (i32.const 1)))
        (br_if $short (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 256))))
      ;; Overlapping moves, up and down, and a page each of copy and fill.
      (memory.copy (i32.const 65543) (i32.const 65536) (i32.const 30000))
      (memory.copy (i32.const 65536) (i32.const 65539) (i32.const 30000))
      (local.set $at (i32.add (i32.const 131072) (i32.shl (i32.and (local.get $round) (i32.const 15)) (i32.const 16))))
      (memory.copy (local.get $at) (i32.const 65536) (i32.const 65536))
      (memory.fill (i32.add (local.get $at) (i32.const 1000)) (local.get $round) (i32.const 50000))
      ;; The table turns by one entry, then is called through.
      (table.copy $ops $ops (i32.const 1) (i32.const 0) (i32.const 63))
      (table.set $ops (i32.const 0) (table.get $ops (i32.const 63)))
      (local.set $i (i32.const 0))
      (loop $calls
        (local.set $sum (call_indirect $ops (type $op) (local.get $sum) (local.get $i)))
        (br_if $calls (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 64))))
      (local.set $sum (call $mix (local.get $sum) (i64.load (i32.add (local.get $at) (i32.const 997)))))
      (br_if $rounds (i32.lt_u (local.tee $round (i32.add (local.get $round) (i32.const 1))) (global.get $rounds))))
    (local.set $at (i32.const 65536))
    (loop $check
      (local.set $sum (call $mix (local.get $sum) (i64.load (local.get $at))))
      (br_if $check (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 520))) (i32.const 2162000))))
    (local.get $sum))

  (func $report (call $put_field (i64.const 0x73646e756f72) (i64.extend_i32_u (global.get $rounds))))) ;; "rounds"
