;; What a module compiled from AssemblyScript imports: called with message, file, line and column
;; when an assertion fails.
(module
  (func (export "abort") (param i32 i32 i32 i32)
    (unreachable)))
