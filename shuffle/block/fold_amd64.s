#include "textflag.h"
#include "go_asm.h"

// func fold32(job *folding)
TEXT ·fold32(SB), NOSPLIT, $0-8
	MOVQ job+0(FP), R15
	MOVQ folding_acc(R15), R8
	MOVQ folding_offs(R15), R9
	MOVQ folding_data(R15), R10
	MOVQ folding_at(R15), CX
	MOVQ $const_hashK0, R11
	MOVQ $const_hashK1, R12

value:
	CMPQ    CX, folding_n(R15)
	JGE     done
	MOVLQSX (R9)(CX*4), SI
	MOVLQSX 4(R9)(CX*4), BX
	CMPQ    SI, folding_limit(R15)
	JHI     done
	CMPQ    BX, folding_end(R15)
	JGT     done
	SUBQ    SI, BX              // its length
	ADDQ    R10, SI             // its bytes
	MOVQ    $const_lengthSalt, R13
	IMULQ   BX, R13
	CMPQ    BX, $const_longest
	JHI     done
	CMPQ    BX, $const_shortest
	JHI     blocks

	// The first BX bytes of two words.
	SHLQ $4, BX
	LEAQ ·shortMasks(SB), DI
	MOVQ (SI), AX
	MOVQ 8(SI), DX
	ANDQ (DI)(BX*1), AX
	ANDQ 8(DI)(BX*1), DX
	XORQ R13, AX
	XORQ R11, AX
	XORQ R12, DX
	MULQ DX
	XORQ DX, AX
	JMP  fold

blocks:
	// The values come from memory as fast as they are asked for.
	PREFETCHT0 2048(SI)
	PREFETCHT0 2112(SI)
	LEAQ ·secrets(SB), DI
	LEAQ -16(SI)(BX*1), BX // its last 16 bytes
	MOVQ (BX), AX
	MOVQ 8(BX), DX
	XORQ 240(DI), AX
	XORQ 248(DI), DX
	MULQ DX
	XORQ DX, AX
	ADDQ AX, R13

block:
	MOVQ (SI), AX
	MOVQ 8(SI), DX
	XORQ (DI), AX
	XORQ 8(DI), DX
	MULQ DX
	ADDQ $16, SI
	ADDQ $16, DI
	XORQ DX, AX
	ADDQ AX, R13
	CMPQ SI, BX
	JCS  block
	MOVQ R13, AX

fold:
	XORQ R12, AX
	MOVQ (R8)(CX*8), DX
	XORQ R11, DX
	MULQ DX
	XORQ DX, AX
	MOVQ AX, (R8)(CX*8)
	INCQ CX
	JMP  value

done:
	MOVQ CX, folding_at(R15)
	RET
