package terasort

import (
	"encoding/binary"
	"hash/crc32"
)

// Lengths of a record and of its key, in bytes.
const (
	RecordLength = 100
	KeyLength    = 10
)

// Summary is what must be the same before and after a sort.
type Summary struct {
	Records int64  `json:"records"`
	Sum     uint64 `json:"sum"` // of the CRC-32 of each record
}

func (s *Summary) add(record []byte) {
	s.Records++
	s.Sum += uint64(crc32.ChecksumIEEE(record))
}

func (s *Summary) join(t Summary) {
	s.Records += t.Records
	s.Sum += t.Sum
}

const hexDigits = "0123456789ABCDEF"

// fill makes record number n of dst.
func fill(dst *[RecordLength]byte, n uint64) {
	a, b := mix(2*n), mix(2*n+1)
	binary.BigEndian.PutUint64(dst[:8], a)
	binary.BigEndian.PutUint16(dst[8:10], uint16(b))
	dst[10], dst[11] = 0x00, 0x11
	for i := range 32 {
		dst[43-i] = '0'
		if i < 16 {
			dst[43-i] = hexDigits[n>>(4*i)&15]
		}
	}
	copy(dst[44:48], "\x88\x99\xAA\xBB")
	for i := range 12 {
		c := hexDigits[b>>(16+4*i)&15]
		dst[48+4*i], dst[49+4*i], dst[50+4*i], dst[51+4*i] = c, c, c, c
	}
	copy(dst[96:], "\xCC\xDD\xEE\xFF")
}

// mix is the output function of SplitMix64 (Steele, Lea, Flood: Fast Splittable
// Pseudorandom Number Generators, OOPSLA 2014).
func mix(n uint64) uint64 {
	z := n * 0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}
