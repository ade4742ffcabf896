package work

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow"
)

// Kind is what a key or a value is. It fixes how the exchange carries it and
// which Arrow type the output shows.
//
//	kind      as a key (bytes compare in order)    as a value
//	None      empty                                no column
//	Text      the bytes                            binary column
//	Binary    the bytes                            binary column
//	Int64     8 bytes, big endian, sign flipped    int64 column
//	Uint64    8 bytes, big endian                  int64 column, the same bits
//	Float64   8 bytes, big endian, IEEE order      float64 column
//	Bool      1 byte                               int64 column, 0 or 1
type Kind uint8

const (
	None Kind = iota
	Text      // UTF-8
	Binary
	Int64
	Uint64
	Float64
	Bool
)

var kindNames = [...]string{"none", "text", "binary", "int64", "uint64", "float64", "bool"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", k)
}

// bytes reports whether values of the kind travel as strings of bytes.
func (k Kind) bytes() bool { return k == Text || k == Binary }

// whole reports whether values of the kind travel as int64.
func (k Kind) whole() bool { return k == Int64 || k == Uint64 || k == Bool }

// fixed reports whether values of the kind travel as 64 bits.
func (k Kind) fixed() bool { return k.whole() || k == Float64 }

// number reports whether the kind can be added and compared as a number.
func (k Kind) number() bool { return k == Int64 || k == Float64 }

// Arrow is the type of the kind's column in the output; nil for None.
func (k Kind) Arrow() arrow.DataType {
	switch k {
	case Text:
		return arrow.BinaryTypes.String
	case Binary:
		return arrow.BinaryTypes.Binary
	case Int64:
		return arrow.PrimitiveTypes.Int64
	case Uint64:
		return arrow.PrimitiveTypes.Uint64
	case Float64:
		return arrow.PrimitiveTypes.Float64
	case Bool:
		return arrow.FixedWidthTypes.Boolean
	default:
		return nil
	}
}

const signBit = 1 << 63

// AppendIntKey appends the key of v.
func AppendIntKey(dst []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(v)^signBit)
}

// AppendUintKey appends the key of v.
func AppendUintKey(dst []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(dst, v) }

// AppendFloatKey appends the key of v: negative numbers first, then positive,
// NaN last. Both zeros have the key of +0.
func AppendFloatKey(dst []byte, v float64) []byte {
	return binary.BigEndian.AppendUint64(dst, floatOrder(v))
}

// AppendBoolKey appends the key of v: false before true.
func AppendBoolKey(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// IntKey is the inverse of AppendIntKey. A key of another length is 0.
func IntKey(key []byte) int64 {
	if len(key) != 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(key) ^ signBit)
}

// UintKey is the inverse of AppendUintKey.
func UintKey(key []byte) uint64 {
	if len(key) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(key)
}

// FloatKey is the inverse of AppendFloatKey.
func FloatKey(key []byte) float64 {
	b := UintKey(key)
	if b&signBit != 0 {
		return math.Float64frombits(b ^ signBit)
	}
	return math.Float64frombits(^b)
}

// BoolKey is the inverse of AppendBoolKey.
func BoolKey(key []byte) bool { return len(key) == 1 && key[0] == 1 }

// floatOrder maps v to an integer whose order is the order of numbers.
func floatOrder(v float64) uint64 {
	if v != v {
		return math.MaxUint64
	}
	b := math.Float64bits(v + 0) // -0 + 0 is +0
	if b&signBit != 0 {
		return ^b
	}
	return b | signBit
}

// appendKeyText appends a key as text: what a script or a preview shows.
func appendKeyText(dst, key []byte, k Kind) []byte {
	switch k {
	case Int64:
		return strconv.AppendInt(dst, IntKey(key), 10)
	case Uint64:
		return strconv.AppendUint(dst, UintKey(key), 10)
	case Float64:
		return strconv.AppendFloat(dst, FloatKey(key), 'g', -1, 64)
	case Bool:
		return strconv.AppendBool(dst, BoolKey(key))
	default:
		return append(dst, key...)
	}
}

// appendWholeText appends an integer value of kind k as text.
func appendWholeText(dst []byte, v int64, k Kind) []byte {
	switch k {
	case Uint64:
		return strconv.AppendUint(dst, uint64(v), 10)
	case Bool:
		return strconv.AppendBool(dst, v != 0)
	default:
		return strconv.AppendInt(dst, v, 10)
	}
}

func appendFloatText(dst []byte, v float64) []byte { return strconv.AppendFloat(dst, v, 'g', -1, 64) }

// Kinds are those of a step's pairs.
type Kinds struct{ Key, Value Kind }
