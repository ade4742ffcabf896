#include "textflag.h"
#include "go_asm.h"

// func run(job *gathering)
TEXT ·run(SB), NOSPLIT, $0-8
	MOVQ job+0(FP), R15
	MOVQ gathering_order(R15), R9
	MOVQ gathering_offs(R15), R10
	MOVQ gathering_data(R15), R11
	MOVQ gathering_ends(R15), R14
	MOVQ gathering_next(R15), R13
	MOVQ gathering_part(R15), R8
	MOVQ gathering_from(R15), CX

partition:
	CMPQ    R8, gathering_parts(R15)
	JGE     done
	MOVLQSX (R14)(R8*4), DX  // where its elements end in order
	CMPQ    CX, DX
	JEQ     skip
	MOVLQSX -4(R9)(DX*4), AX // its last element
	MOVLQSX 4(R10)(AX*4), AX
	CMPQ    AX, gathering_dataLimit(R15)
	JGT     done
	MOVQ    cursor_data(R13), DI
	CMPQ    DI, gathering_imageLimit(R15)
	JGT     done
	ADDQ    gathering_image(R15), DI
	MOVQ    cursor_slot(R13), BX
	ADDQ    gathering_image(R15), BX
	MOVQ    cursor_end(R13), R12
	MOVQ    DX, gathering_to(R15)
	CMPQ    gathering_parts(R15), $const_manyParts
	JLT     element

	// Where the partition after the next goes on.
	MOVQ       (2*cursor__size+cursor_data)(R13), AX
	ADDQ       gathering_image(R15), AX
	PREFETCHT0 (AX)
	PREFETCHT0 64(AX)
	PREFETCHT0 128(AX)
	PREFETCHT0 192(AX)
	MOVQ       (2*cursor__size+cursor_slot)(R13), AX
	ADDQ       gathering_image(R15), AX
	PREFETCHT0 (AX)

element:
	// What is moved gatherAhead elements later.
	MOVLQSX    32(R9)(CX*4), AX
	MOVLQSX    (R10)(AX*4), AX
	PREFETCHT0 (R11)(AX*1)
	PREFETCHT0 64(R11)(AX*1)

	MOVLQSX (R9)(CX*4), AX
	MOVLQSX (R10)(AX*4), SI
	MOVLQSX 4(R10)(AX*4), DX
	SUBQ    SI, DX
	ADDQ    R11, SI
	ADDQ    DX, R12
	MOVL    R12, (BX)
	ADDQ    $4, BX
	INCQ    CX
	MOVQ    DI, AX
	ADDQ    DX, DI
	TESTQ   DX, DX
	JLE     next

step:
	MOVOU (SI), X0
	MOVOU 16(SI), X1
	MOVOU X0, (AX)
	MOVOU X1, 16(AX)
	ADDQ  $32, SI
	ADDQ  $32, AX
	SUBQ  $32, DX
	JG    step

next:
	CMPQ CX, gathering_to(R15)
	JLT  element
	SUBQ gathering_image(R15), DI
	SUBQ gathering_image(R15), BX
	MOVQ DI, cursor_data(R13)
	MOVQ BX, cursor_slot(R13)
	MOVQ R12, cursor_end(R13)

skip:
	INCQ R8
	ADDQ $cursor__size, R13
	JMP  partition

done:
	MOVQ R8, gathering_part(R15)
	MOVQ CX, gathering_from(R15)
	MOVQ R13, gathering_next(R15)
	RET
