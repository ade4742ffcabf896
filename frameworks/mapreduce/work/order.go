package work

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"strconv"
)

// Order is the order of keys in every sorted thing of a job. The zero value is
// the order of bytes.
type Order struct {
	// Numeric reads the leading number of a key, as sort -n does: a key
	// without one counts as 0. Equal numbers go by the order of bytes.
	Numeric    bool
	Descending bool
}

// ParseOrder reads spec.shuffle.order for keys of kind k. "none" promises
// nothing to the user and means ascending here: equal keys must meet.
func ParseOrder(s string, k Kind) Order {
	o := Order{Descending: s == "descending" || s == "numeric-descending"}
	if s == "numeric" || s == "numeric-descending" {
		o.Numeric = k == Text || k == Binary
	}
	return o
}

// Prefix maps a key to an integer: if Prefix(a) < Prefix(b) then a sorts
// before b. Equal prefixes say nothing.
func (o Order) Prefix(key []byte) uint64 {
	var p uint64
	if o.Numeric {
		p = floatOrder(leadingNumber(key))
	} else {
		p = bytePrefix(key)
	}
	if o.Descending {
		return ^p
	}
	return p
}

// Compare is negative if a sorts before b, 0 only if they are the same bytes.
func (o Order) Compare(a, b []byte) int {
	c := 0
	if o.Numeric {
		c = compareNumbers(a, b)
	}
	if c == 0 {
		c = bytes.Compare(a, b)
	}
	if o.Descending {
		return -c
	}
	return c
}

// decides reports whether two keys with equal prefixes are the same key.
func (o Order) decides(a, b []byte) bool {
	return !o.Numeric && len(a) == len(b) && len(a) <= 8
}

// bytePrefix is the first eight bytes, big endian, zero padded.
func bytePrefix(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}

// compareNumbers compares leading numbers: by their nearest float64, and where
// that is the same, whole numbers before others and exactly among themselves.
func compareNumbers(a, b []byte) int {
	na, fracA := numberText(a)
	nb, fracB := numberText(b)
	if c := cmp.Compare(floatOrder(parseNumber(na)), floatOrder(parseNumber(nb))); c != 0 {
		return c
	}
	switch {
	case !fracA && !fracB:
		return compareWhole(na, nb)
	case !fracA:
		return -1
	case !fracB:
		return 1
	}
	return 0
}

func compareWhole(a, b []byte) int {
	a, negA := magnitude(a)
	b, negB := magnitude(b)
	if len(a) == 0 && len(b) == 0 {
		return 0
	}
	if negA != negB {
		if negA {
			return -1
		}
		return 1
	}
	c := len(a) - len(b)
	if c == 0 {
		c = bytes.Compare(a, b)
	}
	if negA {
		return -c
	}
	return c
}

// magnitude strips sign and leading zeros; zero has no digits and no sign.
func magnitude(n []byte) ([]byte, bool) {
	neg := len(n) > 0 && n[0] == '-'
	if len(n) > 0 && (n[0] == '-' || n[0] == '+') {
		n = n[1:]
	}
	n = bytes.TrimLeft(n, "0")
	return n, neg && len(n) > 0
}

// leadingNumber is the number key begins with, after blanks, or 0.
func leadingNumber(key []byte) float64 {
	n, _ := numberText(key)
	return parseNumber(n)
}

func parseNumber(n []byte) float64 {
	if len(n) == 0 {
		return 0
	}
	v, _ := strconv.ParseFloat(string(n), 64) // out of range is an infinity, as it should sort
	return v
}

// numberText is the leading number of key and whether it has a fraction or an
// exponent. Without a digit it is empty.
func numberText(key []byte) (n []byte, fractional bool) {
	key = bytes.TrimLeft(key, " \t")
	i, digits := 0, 0
	if i < len(key) && (key[i] == '-' || key[i] == '+') {
		i++
	}
	for ; i < len(key) && isDigit(key[i]); i++ {
		digits++
	}
	if i < len(key) && key[i] == '.' {
		j := i + 1
		for ; j < len(key) && isDigit(key[j]); j++ {
			digits++
		}
		if j > i+1 {
			i, fractional = j, true
		}
	}
	if digits == 0 {
		return nil, false
	}
	if j := exponentEnd(key, i); j > i {
		i, fractional = j, true
	}
	return key[:i], fractional
}

func exponentEnd(key []byte, i int) int {
	if i >= len(key) || key[i]|0x20 != 'e' {
		return i
	}
	j := i + 1
	if j < len(key) && (key[j] == '-' || key[j] == '+') {
		j++
	}
	first := j
	for j < len(key) && isDigit(key[j]) {
		j++
	}
	if j == first {
		return i
	}
	return j
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
