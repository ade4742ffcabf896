package peer

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
)

var errPiece = errors.New("bytes of a barrier that do not fit together")

// appendPiece appends a length and then s.
func appendPiece[S ~string | ~[]byte](b []byte, s S) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

// piece cuts a piece off b.
func piece(b []byte) (first, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, errPiece
	}
	n := binary.LittleEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil, errPiece
	}
	return b[4 : 4+n], b[4+n:], nil
}

// pairs calls f for each name and value in b.
func pairs(b []byte, f func(name string, value []byte) error) error {
	for len(b) > 0 {
		name, rest, err := piece(b)
		if err != nil {
			return err
		}
		value, rest, err := piece(rest)
		if err != nil {
			return err
		}
		if err := f(string(name), value); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
