package executor

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxLine is the longest log line in bytes, after escaping.
const maxLine = 8 << 10

const cutMark = " [line cut]"

// cleanLine makes one line of arbitrary bytes fit to be shown: valid UTF-8,
// control characters escaped as in a Go string (tab stays), at most maxLine
// bytes. A terminal that shows it cannot be commanded by it.
func cleanLine(s string) string {
	if len(s) <= maxLine && isClean(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if b.Len()+len(s[:n])*6 > maxLine-len(cutMark) {
			b.WriteString(cutMark)
			break
		}
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[0])|0x100, 16)[1:])
		case harmless(r):
			b.WriteString(s[:n])
		default:
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		}
		s = s[n:]
	}
	return b.String()
}

// harmless refuses what moves a cursor or reorders text.
func harmless(r rune) bool {
	if r >= ' ' && r < 0x7f {
		return true
	}
	return r == '\t' || !unicode.Is(unicode.C, r) && r != '\u2028' && r != '\u2029'
}

func isClean(s string) bool {
	for i, r := range s {
		if !harmless(r) {
			return false
		}
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return false
			}
		}
	}
	return true
}
