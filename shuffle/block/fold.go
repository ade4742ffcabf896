package block

import "unsafe"

// folding folds the hashes of strings into those of their rows, in assembly:
// the compiler's code spends most of its instructions on what is not the hash.
type folding struct {
	acc   *uint64
	offs  *int32
	data  *byte
	n     int
	at    int // the next value
	end   int // the length of data
	limit int // the last offset of data that 16 bytes follow
}

// foldStrings is foldBinary, by a folding where the machine has one.
func foldStrings(acc []uint64, offs []int32, data []byte) {
	offs = offs[:len(acc)+1]
	if !canFold || len(data) < shortest {
		foldBinary(acc, offs, data)
		return
	}
	f := folding{
		acc: unsafe.SliceData(acc), offs: unsafe.SliceData(offs), data: unsafe.SliceData(data),
		n: len(acc), end: len(data), limit: len(data) - shortest,
	}
	for {
		fold32(&f)
		if f.at == len(acc) {
			return
		}
		foldBinary(acc[f.at:f.at+1], offs[f.at:], data)
		f.at++
	}
}
