// engine/kernel/smallinit.py: process 1 of a container with `init: true`.
// aarch64-linux-gnu-as init.aarch64.s -o init.o && aarch64-linux-gnu-objcopy -O binary -j .text init.o
        .globl  _start
_start: mov     x8, 167                 // prctl(PR_SET_DUMPABLE, 0)
        mov     x0, 4
        mov     x1, 0
        svc     0
        mov     x8, 167                 // prctl(PR_SET_NAME, name)
        mov     x0, 15
        adr     x1, name
        svc     0
        ldr     w19, child
        sub     sp, sp, 16              // where wait4 puts the status
wait:   mov     x8, 137                 // rt_sigtimedwait(set, NULL, NULL, 8)
        adr     x0, set
        mov     x1, 0
        mov     x2, 0
        mov     x3, 8
        svc     0
        cmp     w0, 17                  // SIGCHLD
        b.eq    reap
        cmp     w0, 0                   // EINTR
        b.le    wait
        mov     w1, w0                  // kill(child, signal)
        mov     w0, w19
        mov     x8, 129
        svc     0
        b       wait
reap:   mov     x8, 260                 // wait4(-1, status, WNOHANG, NULL)
        mov     x0, -1
        mov     x1, sp
        mov     x2, 1
        mov     x3, 0
        svc     0
        cmp     w0, w19
        b.eq    ended
        cmp     w0, 0
        b.gt    reap
        b       wait
ended:  ldr     w0, [sp]
        ands    w1, w0, 0x7f
        b.eq    exited
        add     w0, w1, 128             // by a signal
        b       exit
exited: ubfx    w0, w0, 8, 8
exit:   mov     x8, 94                  // exit_group(code)
        svc     0
        .balign 8
child:  .quad   0
set:    .quad   -1
name:   .ascii  "buoy-init\0"
