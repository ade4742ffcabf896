package pmi

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The bounds that ranks are told of by get_maxes, and that of a line.
const (
	MaxName  = 256
	MaxKey   = 64
	MaxValue = 1024
	maxLine  = 4096
)

// Pair is a key and its value. Those of version 1 hold no blanks.
type Pair struct {
	Key   string `json:"k"`
	Value string `json:"v"`
}

// message is a command of a rank or an answer: its first pair is cmd or mcmd.
type message []Pair

// say is the message "cmd=name" with pairs of a key and a value each.
func say(name string, pairs ...string) message {
	m := message{{"cmd", name}}
	for i := 0; i+1 < len(pairs); i += 2 {
		m = append(m, Pair{pairs[i], pairs[i+1]})
	}
	return m
}

// get is the value of a key; "" if it is not there.
func (m message) get(key string) string {
	for _, p := range m {
		if p.Key == key {
			return p.Value
		}
	}
	return ""
}

// name is the command's.
func (m message) name() string {
	if len(m) == 0 {
		return ""
	}
	return m[0].Value
}

// line is the message as it goes over the wire.
func (m message) line() []byte {
	var b []byte
	for i, p := range m {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, p.Key...)
		b = append(b, '=')
		b = append(b, p.Value...)
	}
	return append(b, '\n')
}

// parse reads a line without its end.
func parse(line string) (message, error) {
	var m message
	for _, field := range strings.Fields(line) {
		key, value, ok := strings.Cut(field, "=")
		if !ok {
			return nil, fmt.Errorf("%q is no key=value", field)
		}
		m = append(m, Pair{key, value})
	}
	if len(m) == 0 || m[0].Key != "cmd" {
		return nil, errors.New("a line without a command")
	}
	return m, nil
}

// readLine reads a line without its end: io.EOF if there is none.
func readLine(r *bufio.Reader) (string, error) {
	b, err := r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", fmt.Errorf("a line of more than %d bytes", maxLine)
	case err == io.EOF && len(b) > 0:
		return "", io.ErrUnexpectedEOF
	case err != nil:
		return "", err
	}
	return string(b[:len(b)-1]), nil
}
