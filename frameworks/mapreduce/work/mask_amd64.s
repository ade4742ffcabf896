#include "textflag.h"

// func fieldsAVX2(w *[64]byte) (spaces, wide uint64)
//
// A byte is white space if it is ' ', or lies in '\t' to '\r': if the smaller of
// it less '\t' and of four is itself.
TEXT ·fieldsAVX2(SB), NOSPLIT, $0-24
	MOVQ         w+0(FP), SI
	VMOVDQU      (SI), Y0
	VMOVDQU      32(SI), Y1
	VPBROADCASTB blank<>(SB), Y2
	VPBROADCASTB tab<>(SB), Y3
	VPBROADCASTB four<>(SB), Y4
	VPCMPEQB     Y2, Y0, Y5
	VPCMPEQB     Y2, Y1, Y6
	VPSUBB       Y3, Y0, Y7
	VPSUBB       Y3, Y1, Y8
	VPMINUB      Y4, Y7, Y9
	VPMINUB      Y4, Y8, Y10
	VPCMPEQB     Y7, Y9, Y9
	VPCMPEQB     Y8, Y10, Y10
	VPOR         Y5, Y9, Y9
	VPOR         Y6, Y10, Y10
	VPMOVMSKB    Y9, AX
	VPMOVMSKB    Y10, BX
	VPMOVMSKB    Y0, CX
	VPMOVMSKB    Y1, DX
	VZEROUPPER
	SHLQ         $32, BX
	ORQ          BX, AX
	SHLQ         $32, DX
	ORQ          DX, CX
	MOVQ         AX, spaces+8(FP)
	MOVQ         CX, wide+16(FP)
	RET

// func lettersAVX2(w *[64]byte) (alnums, wide uint64)
//
// A byte is of a word if, with its bit for lower case set, it lies in 'a' to 'z',
// or if it lies in '0' to '9', or is '_'.
TEXT ·lettersAVX2(SB), NOSPLIT, $0-24
	MOVQ         w+0(FP), SI
	VMOVDQU      (SI), Y0
	VMOVDQU      32(SI), Y1
	VPBROADCASTB blank<>(SB), Y2
	VPBROADCASTB letter<>(SB), Y3
	VPBROADCASTB last<>(SB), Y4
	VPOR         Y2, Y0, Y5
	VPOR         Y2, Y1, Y6
	VPSUBB       Y3, Y5, Y5
	VPSUBB       Y3, Y6, Y6
	VPMINUB      Y4, Y5, Y7
	VPMINUB      Y4, Y6, Y8
	VPCMPEQB     Y5, Y7, Y7
	VPCMPEQB     Y6, Y8, Y8
	VPBROADCASTB digit<>(SB), Y3
	VPBROADCASTB nine<>(SB), Y4
	VPSUBB       Y3, Y0, Y5
	VPSUBB       Y3, Y1, Y6
	VPMINUB      Y4, Y5, Y9
	VPMINUB      Y4, Y6, Y10
	VPCMPEQB     Y5, Y9, Y9
	VPCMPEQB     Y6, Y10, Y10
	VPOR         Y9, Y7, Y7
	VPOR         Y10, Y8, Y8
	VPBROADCASTB under<>(SB), Y3
	VPCMPEQB     Y3, Y0, Y9
	VPCMPEQB     Y3, Y1, Y10
	VPOR         Y9, Y7, Y7
	VPOR         Y10, Y8, Y8
	VPMOVMSKB    Y7, AX
	VPMOVMSKB    Y8, BX
	VPMOVMSKB    Y0, CX
	VPMOVMSKB    Y1, DX
	VZEROUPPER
	SHLQ         $32, BX
	ORQ          BX, AX
	SHLQ         $32, DX
	ORQ          DX, CX
	MOVQ         AX, alnums+8(FP)
	MOVQ         CX, wide+16(FP)
	RET

DATA blank<>+0(SB)/1, $0x20
GLOBL blank<>(SB), RODATA|NOPTR, $1

DATA tab<>+0(SB)/1, $0x09
GLOBL tab<>(SB), RODATA|NOPTR, $1

DATA four<>+0(SB)/1, $0x04
GLOBL four<>(SB), RODATA|NOPTR, $1

DATA letter<>+0(SB)/1, $0x61
GLOBL letter<>(SB), RODATA|NOPTR, $1

DATA last<>+0(SB)/1, $0x19
GLOBL last<>(SB), RODATA|NOPTR, $1

DATA digit<>+0(SB)/1, $0x30
GLOBL digit<>(SB), RODATA|NOPTR, $1

DATA nine<>+0(SB)/1, $0x09
GLOBL nine<>(SB), RODATA|NOPTR, $1

DATA under<>+0(SB)/1, $0x5f
GLOBL under<>(SB), RODATA|NOPTR, $1
