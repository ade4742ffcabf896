package work

import (
	"encoding/binary"
	"math/bits"
	"unicode"
	"unicode/utf8"
)

// span is a word: the bytes from its start to its end in a block.
type span struct{ start, end uint32 }

// charset tells which characters make words.
type charset uint8

const (
	// fields: words are separated by white space as unicode.IsSpace has it,
	// the words of strings.Fields, of wc and of Python's split.
	fields charset = iota
	// letters: words are runs of letters, digits and underscores.
	letters
)

func (c charset) has(r rune) bool {
	if c == fields {
		return !unicode.IsSpace(r)
	}
	return r == '_' || r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
	lows  = 0x7f7f7f7f7f7f7f7f
)

// over sets the high bit of every byte of x (all below 0x80) that is >= c.
func over(x uint64, c uint64) uint64 { return x + (0x80-c)*ones }

// spaces sets the high bit of every byte of x that is ASCII white space:
// tab, newline, vertical tab, form feed, carriage return, space.
func spaces(x uint64) uint64 {
	l := x & lows
	blank := ^(((l ^ 0x20*ones) + lows) | lows) // exact: no carry leaves a byte
	return ((over(l, 9) &^ over(l, 14)) | blank) &^ x & highs
}

// alnums sets the high bit of every byte of x that is an ASCII letter, digit
// or underscore.
func alnums(x uint64) uint64 {
	l := x & lows
	low := l | 0x20*ones
	word := over(low, 'a') &^ over(low, 'z'+1)
	digit := over(l, '0') &^ over(l, '9'+1)
	under := ^(((l ^ '_'*ones) + lows) | lows)
	return (word | digit | under) &^ x & highs
}

// gather packs the high bits of eight bytes into eight bits.
func gather(m uint64) uint64 { return (m >> 7) * 0x0102040810204080 >> 56 }

// tokenizer cuts a block into words, a window at a time.
type tokenizer struct {
	set   charset
	spans [1024]span
}

// next cuts p from position at on, until its spans are full or p ends, and
// returns the words and where to go on. A word never crosses the end of p.
//
// Each window of 64 bytes becomes a mask with one bit a byte; words are the
// runs of ones, found by the mask's edges, so that no branch depends on a
// single byte.
func (t *tokenizer) next(p []byte, at int) ([]span, int) {
	n, open, skip := 0, -1, 0 // open: start of a word that crosses windows
	for at < len(p) && n <= len(t.spans)-34 {
		var in uint64
		width := min(64, len(p)-at)
		in, skip = t.mask(p, at, skip)
		edges := in ^ in<<1
		if open >= 0 {
			edges ^= 1 // the first bit goes on with the open word
		}
		if width < 64 {
			edges &= 1<<uint(width) - 1
		}
		if open >= 0 {
			if edges == 0 {
				at += width
				continue
			}
			t.spans[n] = span{uint32(open), uint32(at + bits.TrailingZeros64(edges))}
			n++
			edges &= edges - 1
			open = -1
		}
		for edges != 0 {
			start := at + bits.TrailingZeros64(edges)
			edges &= edges - 1
			if edges == 0 {
				open = start
				break
			}
			t.spans[n] = span{uint32(start), uint32(at + bits.TrailingZeros64(edges))}
			n++
			edges &= edges - 1
		}
		at += width
	}
	if open >= 0 {
		if at < len(p) {
			// The window after this call would need the open word: begin it again.
			return t.spans[:n], open
		}
		t.spans[n] = span{uint32(open), uint32(len(p))}
		n++
	}
	return t.spans[:n], at
}

// mask returns which of the 64 bytes at belong to words. skip is how many of
// them belong to a character that began before; the second result is that for
// the next window.
func (t *tokenizer) mask(p []byte, at, skip int) (uint64, int) {
	if len(p)-at < 64 {
		var tail [64]byte
		copy(tail[:], p[at:])
		return t.mask64(&tail, p, at, skip)
	}
	return t.mask64((*[64]byte)(p[at:at+64]), p, at, skip)
}

func (t *tokenizer) mask64(w *[64]byte, p []byte, at, skip int) (uint64, int) {
	in, wide := classify(t.set, w)
	if wide == 0 && skip == 0 {
		return in, 0
	}
	return t.wideMask(in, p, at, skip)
}

// classifyWords is classify in words of eight bytes.
func classifyWords(set charset, w *[64]byte) (in, wide uint64) {
	for k := 0; k < 64; k += 8 {
		x := binary.LittleEndian.Uint64(w[k:])
		wide |= gather(x&highs) << uint(k)
		if set == fields {
			in |= gather(spaces(x)) << uint(k)
		} else {
			in |= gather(alnums(x)) << uint(k)
		}
	}
	if set == fields {
		in = ^in
	}
	return in, wide
}

// wideMask corrects a mask for the characters beyond ASCII.
func (t *tokenizer) wideMask(in uint64, p []byte, at, skip int) (uint64, int) {
	k := 0
	if skip != 0 {
		// The sign of skip says whether the character that began before is of words.
		k = max(skip, -skip)
		set := uint64(1)<<uint(k) - 1
		in &^= set
		if skip > 0 {
			in |= set
		}
	}
	for end := min(64, len(p)-at); k < end; {
		if p[at+k] < utf8.RuneSelf {
			k++
			continue
		}
		r, size := utf8.DecodeRune(p[at+k:])
		set := (uint64(1)<<uint(size) - 1) << uint(k)
		in &^= set
		has := t.set.has(r)
		if has {
			in |= set
		}
		if k += size; k > 64 {
			if has {
				return in, k - 64
			}
			return in, 64 - k
		}
	}
	return in, 0
}

// cutLines cuts whole lines from position at on, until spans is full or p ends.
// It returns how many it cut and where to go on.
func cutLines(p []byte, at int, spans []span) (n, next int) {
	start := at
	for ; at+8 <= len(p) && n <= len(spans)-8; at += 8 {
		x := binary.LittleEndian.Uint64(p[at:]) ^ '\n'*ones
		// The high bit of each byte that is zero: exact, as no carry leaves a byte.
		for ends := ^((x&lows + lows) | x | lows); ends != 0; ends &= ends - 1 {
			end := at + bits.TrailingZeros64(ends)/8
			spans[n] = span{uint32(start), uint32(end)}
			n, start = n+1, end+1
		}
	}
	for ; at < len(p) && n < len(spans); at++ {
		if p[at] == '\n' {
			spans[n] = span{uint32(start), uint32(at)}
			n, start = n+1, at+1
		}
	}
	return n, start
}

// inlineMasks keeps the first n bytes of two little-endian words.
var inlineMasks = func() (m [inlineKey + 1][2]uint64) {
	for n := range m {
		for k := range n {
			m[n][k/8] |= 0xff << (8 * uint(k%8))
		}
	}
	return m
}()
