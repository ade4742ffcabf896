package corpus

import (
	"unicode"
	"unicode/utf8"
)

// clean appends p to dst such that law T1 holds.
func clean(dst, p []byte) []byte {
	for len(p) > 0 {
		if c := p[0]; c < utf8.RuneSelf {
			if c < ' ' && c != '\n' && c != '\t' {
				c = ' '
			}
			dst, p = append(dst, c), p[1:]
			continue
		}
		r, n := utf8.DecodeRune(p)
		switch {
		case r == utf8.RuneError && n == 1:
			dst = append(dst, '?')
		case unicode.IsSpace(r):
			dst = append(dst, ' ')
		default:
			dst = append(dst, p[:n]...)
		}
		p = p[n:]
	}
	if n := len(dst); n > 0 && dst[n-1] != '\n' {
		dst = append(dst, '\n')
	}
	return dst
}
