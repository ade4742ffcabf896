package pmi

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The bounds of version 2's frames.
const (
	lengthDigits = 6
	maxFrame     = 64 << 10 // as MPICH's clients have it
)

// frame is the message as version 2 has it on the wire: its length in six
// columns, then "key=value;" for each pair, with each ";" of a value doubled.
func (m message) frame() []byte {
	var body strings.Builder
	for _, p := range m {
		body.WriteString(p.Key)
		body.WriteByte('=')
		body.WriteString(strings.ReplaceAll(p.Value, ";", ";;"))
		body.WriteByte(';')
	}
	return fmt.Appendf(nil, "%-*d%s", lengthDigits, body.Len(), body.String())
}

// readFrame reads what follows a frame's length: io.EOF if there is none.
func readFrame(r *bufio.Reader) (string, error) {
	var digits [lengthDigits]byte
	if _, err := io.ReadFull(r, digits[:]); err != nil {
		return "", err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(digits[:])))
	if err != nil || n < 0 || n > maxFrame {
		return "", fmt.Errorf("%q is no length of a frame of at most %d bytes", digits, maxFrame)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return "", io.ErrUnexpectedEOF
	}
	return string(body), nil
}

// parseFrame reads the body of a frame.
func parseFrame(body string) (message, error) {
	var m message
	for len(body) > 0 {
		key, rest, ok := strings.Cut(body, "=")
		if !ok {
			return nil, fmt.Errorf("%.40q is no key=value;", body)
		}
		value, after, err := cutValue(rest)
		if err != nil {
			return nil, err
		}
		m, body = append(m, Pair{key, value}), after
	}
	if len(m) == 0 || m[0].Key != "cmd" {
		return nil, errors.New("a frame without a command")
	}
	return m, nil
}

// cutValue takes a value up to its ";" and puts its doubled ones back.
func cutValue(s string) (value, after string, err error) {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, ';')
		if i < 0 {
			return "", "", fmt.Errorf("the value %.40q does not end with ;", s)
		}
		b.WriteString(s[:i])
		if i+1 == len(s) || s[i+1] != ';' {
			return b.String(), s[i+1:], nil
		}
		b.WriteByte(';')
		s = s[i+2:]
	}
}
