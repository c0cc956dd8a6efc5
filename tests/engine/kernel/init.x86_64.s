# engine/kernel/smallinit.py: process 1 of a container with `init: true`.
# as init.x86_64.s -o init.o && objcopy -O binary -j .text init.o
        .intel_syntax noprefix
        .globl  _start
_start: mov     eax, 157                # prctl(PR_SET_DUMPABLE, 0)
        mov     edi, 4
        xor     esi, esi
        syscall
        mov     eax, 157                # prctl(PR_SET_NAME, name)
        mov     edi, 15
        lea     rsi, [rip + name]
        syscall
        mov     ebp, [rip + child]
        push    0                       # where wait4 puts the status
wait:   mov     eax, 128                # rt_sigtimedwait(set, NULL, NULL, 8)
        lea     rdi, [rip + set]
        xor     esi, esi
        xor     edx, edx
        mov     r10d, 8
        syscall
        cmp     eax, 17                 # SIGCHLD
        je      reap
        test    eax, eax                # EINTR
        jle     wait
        mov     esi, eax                # kill(child, signal)
        mov     edi, ebp
        mov     eax, 62
        syscall
        jmp     wait
reap:   mov     eax, 61                 # wait4(-1, status, WNOHANG, NULL)
        or      rdi, -1
        mov     rsi, rsp
        mov     edx, 1
        xor     r10d, r10d
        syscall
        cmp     eax, ebp
        je      ended
        test    eax, eax
        jg      reap
        jmp     wait
ended:  mov     edi, [rsp]
        mov     eax, edi
        and     eax, 0x7f
        jz      exited
        lea     edi, [rax + 128]        # by a signal
        jmp     exit
exited: shr     edi, 8
        and     edi, 0xff
exit:   mov     eax, 231                # exit_group(code)
        syscall
        .balign 8
child:  .quad   0
set:    .quad   -1
name:   .ascii  "buoy-init\0"
