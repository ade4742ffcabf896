#include "textflag.h"
#include "go_asm.h"

#define WORDS(at) \
	CRC32Q at(SI), AX;              \
	CRC32Q (const_lane+at)(SI), BX; \
	CRC32Q (2*const_lane+at)(SI), CX

// func sum(l *lanes, p *byte)
TEXT ·sum(SB), NOSPLIT, $0-16
	MOVQ l+0(FP), DI
	MOVQ p+8(FP), SI
	MOVL lanes_a(DI), AX
	XORL BX, BX
	XORL CX, CX
	MOVQ $(const_lane/const_line), DX

line:
	PREFETCHT0 const_ahead(SI)
	PREFETCHT0 (const_ahead+const_lane)(SI)
	PREFETCHT0 (const_ahead+2*const_lane)(SI)
	WORDS(0)
	WORDS(8)
	WORDS(16)
	WORDS(24)
	WORDS(32)
	WORDS(40)
	WORDS(48)
	WORDS(56)
	ADDQ $const_line, SI
	DECQ DX
	JNZ  line
	MOVL AX, lanes_a(DI)
	MOVL BX, lanes_b(DI)
	MOVL CX, lanes_c(DI)
	RET
