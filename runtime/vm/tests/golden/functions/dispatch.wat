;;! opt
;; An interpreter: the loop with the table begins at a line of the cache, the one before it where it comes to be.
(module (memory 1) (func (param $pc i32) (result i32)
  (local $sum i32)
  (loop $skip
    (local.set $pc (i32.add (local.get $pc) (i32.const 4)))
    (br_if $skip (i32.load (local.get $pc))))
  (loop $next
    (local.set $pc (i32.add (local.get $pc) (i32.const 1)))
    (block $halt (block $double (block $one
      (br_table $one $double $halt (i32.load8_u (local.get $pc))))
      (local.set $sum (i32.add (local.get $sum) (i32.const 1)))
      (br $next))
      (local.set $sum (i32.shl (local.get $sum) (i32.const 1)))
      (br $next)))
  (local.get $sum)))
