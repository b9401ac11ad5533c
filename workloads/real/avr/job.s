; Things for an assembler to do: macros, conditions, repetition, expressions, symbols that are not known yet,
; sections and alignment.

    .equ IO_OUT, 0x05
    .equ BASE, 0x0100
    .section .text
    .global main
    .global table

    .macro load_pointer high, low, address
    ldi \low, lo8(\address)
    ldi \high, hi8(\address)
    .endm

    .macro add_constant high, low, value
    .if \value < 64
    adiw \low, \value
    .else
    subi \low, lo8(-(\value))
    sbci \high, hi8(-(\value))
    .endif
    .endm

main:
    load_pointer r31, r30, table
    ldi r24, 0
    ldi r25, 0

    .set step, 0
    .rept 600
    lpm r18, Z+
    add r24, r18
    adc r25, r1
    .if step % 7 == 0
    cpi r24, step & 0xff
    breq 1f
    eor r25, r24
1:
    .endif
    .if step % 50 == 49
    add_constant r25, r24, step % 128
    .endif
    .set step, step + 1
    .endr

    out IO_OUT, r24
    rcall spin
    jmp main

spin:
    ldi r20, 200
2:  dec r20
    brne 2b
    call far
    ret

    .section .progmem.data, "a"
    .balign 4
table:
    .set value, 1
    .rept 1024
    .byte value & 0xff
    .word spin + (value & 3)
    .set value, value * 5 + 3 & 0xffff
    .endr

    .section .text
far:
    .irp register, 16, 17, 18, 19, 20, 21, 22, 23
    push r\register
    swap r\register
    pop r\register
    .endr
    ret

    .section .data
counters:
    .space 64, 0xa5
    .word BASE + counters, main, far
