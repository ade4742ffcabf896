package spec

import (
	"fmt"
	"strconv"
	"strings"
)

// Place is whose stream a pattern is for.
type Place struct {
	Job   string
	Name  string // of the job
	User  string
	Index string // of an array's element; "" without an array
	Rank  int
	Node  string // the rank's
}

// Expand puts a place into the name of a stream, with Slurm's patterns:
//
//	%j        the job's id, in an array with _ and the index
//	%A        the job's id          %a  the array index
//	%x        the job's name        %t %n  the rank
//	%u        the user              %N  the rank's node
//	%%        a percent sign        %3t  padded with zeros to three places
//
// As in Slurm, an index that is not there reads 4294967294.
func Expand(pattern string, p Place) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '%' {
			b.WriteByte(pattern[i])
			continue
		}
		start := i
		for i++; i < len(pattern) && pattern[i] >= '0' && pattern[i] <= '9' && i-start <= 2; i++ {
		}
		if i == len(pattern) {
			b.WriteString(pattern[start:])
			break
		}
		width, _ := strconv.Atoi(pattern[start+1 : i])
		value, number, ok := p.of(pattern[i])
		switch {
		case !ok:
			b.WriteString(pattern[start : i+1])
		case number:
			fmt.Fprintf(&b, "%0*s", width, value)
		default:
			b.WriteString(value)
		}
	}
	return b.String()
}

// of is what a letter stands for, and whether it is padded.
func (p Place) of(letter byte) (value string, number, ok bool) {
	switch letter {
	case '%':
		return "%", false, true
	case 'j', 'J':
		if p.Index != "" {
			return p.Job + "_" + p.Index, false, true
		}
		return p.Job, false, true
	case 'A':
		return p.Job, false, true
	case 'a':
		if p.Index == "" {
			return "4294967294", true, true
		}
		return p.Index, true, true
	case 't', 'n':
		return strconv.Itoa(p.Rank), true, true
	case 'N':
		return p.Node, false, true
	case 'x':
		return p.Name, false, true
	case 'u':
		return p.User, false, true
	}
	return "", false, false
}

// Letters are the patterns that a name holds.
func Letters(pattern string) string {
	var out []byte
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '%' {
			continue
		}
		for i++; i < len(pattern) && pattern[i] >= '0' && pattern[i] <= '9'; i++ {
		}
		if i < len(pattern) {
			out = append(out, pattern[i])
		}
	}
	return string(out)
}

// Fixed is "bucket/key" of an s3:// URL, up to the folder in which its first
// pattern stands; ok is false for anything else.
func Fixed(url string) (prefix string, ok bool) {
	key, ok := strings.CutPrefix(url, "s3://")
	if !ok {
		return "", false
	}
	if at := strings.IndexByte(key, '%'); at >= 0 {
		key = key[:strings.LastIndexByte(key[:at], '/')+1]
	}
	return key, true
}
