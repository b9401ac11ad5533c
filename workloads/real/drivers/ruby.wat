;; Evaluates the script on stdin: starts the interpreter as its own host does, hands over the source,
;; and exits with 1 if it raised.
;; Strings and lists passed in become the library's, so each is allocated by itself.
(module
  (import "lib" "memory" (memory 0))
  (import "lib" "cabi_realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
  (import "lib" "ruby-init: func(args: list<string>) -> ()" (func $init (param i32 i32)))
  (import "lib" "ruby-init-loadpath: func() -> ()" (func $init_loadpath))
  (import "lib" "rb-eval-string-protect: func(str: string) -> tuple<handle<rb-abi-value>, s32>"
    (func $eval (param i32 i32) (result i32)))
  (import "io" "read_all" (func $read_all (result i32 i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (export "memory" (memory 0))
  ;; The library takes each for a C string, whatever its length says.
  (data $args "ruby.wasm\00-EUTF-8\00-e_=0\00")

  ;; Fills element `index` of a list of strings with a piece of the arguments.
  (func $arg (param $list i32) (param $index i32) (param $from i32) (param $length i32)
    (local $at i32)
    (local.set $at
      (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (local.get $length)))
    (memory.init $args (local.get $at) (local.get $from) (local.get $length))
    (local.set $list (i32.add (local.get $list) (i32.shl (local.get $index) (i32.const 3))))
    (i32.store (local.get $list) (local.get $at))
    (i32.store offset=4 (local.get $list) (local.get $length)))

  (func (export "_start")
    (local $from i32) (local $length i32) (local $source i32) (local $list i32)
    (call $read_all)
    (local.set $length)
    (local.set $from)
    (local.set $source
      (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (local.get $length)))
    (memory.copy (local.get $source) (local.get $from) (local.get $length))
    (local.set $list (call $realloc (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 24)))
    (call $arg (local.get $list) (i32.const 0) (i32.const 0) (i32.const 10))
    (call $arg (local.get $list) (i32.const 1) (i32.const 10) (i32.const 8))
    (call $arg (local.get $list) (i32.const 2) (i32.const 18) (i32.const 6))
    (call $init (local.get $list) (i32.const 3))
    (call $init_loadpath)
    ;; The second element of the result tells whether it raised.
    (if (i32.load offset=4 (call $eval (local.get $source) (local.get $length)))
      (then (call $proc_exit (i32.const 1))))))
