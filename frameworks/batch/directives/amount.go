package directives

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// count reads a number from 1 on.
func count(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 1_000_000 {
		return 0, fmt.Errorf("%q is no number from 1 on", s)
	}
	return n, nil
}

// memory reads an amount with units of 1024, such as 4G or 512mb. unit is that
// of a bare number.
func memory(s string, unit int64) (core.Bytes, error) {
	at := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	digits, suffix := s, ""
	if at >= 0 {
		digits, suffix = s[:at], strings.ToLower(s[at:])
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	words := int64(1)
	if strings.HasSuffix(suffix, "w") {
		words = 8
	}
	factor, ok := map[string]int64{"": unit, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}[strings.TrimRight(suffix, "bw")]
	if suffix == "b" || suffix == "w" {
		factor = 1
	}
	if err != nil || !ok || n > math.MaxInt64/factor/words/1024 {
		return 0, fmt.Errorf("%q is no amount of memory; want 512M or 4G", s)
	}
	return core.Bytes(n * factor * words), nil
}

// hosts reads a list of nodes, n[1-3,7],login1, as a regular expression that
// matches exactly these.
func hosts(list string) (string, error) {
	var names []string
	for _, part := range commas(list) {
		more, err := expand(part)
		if err != nil {
			return "", err
		}
		names = append(names, more...)
		if len(names) > 10_000 {
			return "", fmt.Errorf("%q names more than 10000 nodes", list)
		}
	}
	if len(names) == 0 {
		return "", fmt.Errorf("%q names no node", list)
	}
	for i, n := range names {
		names[i] = regexp.QuoteMeta(n)
	}
	return "^(" + strings.Join(names, "|") + ")$", nil
}

// commas splits at commas outside of brackets.
func commas(s string) []string {
	var parts []string
	depth, from := 0, 0
	for i := 0; i <= len(s); i++ {
		switch {
		case i == len(s) || s[i] == ',' && depth == 0:
			if p := strings.TrimSpace(s[from:i]); p != "" {
				parts = append(parts, p)
			}
			from = i + 1
		case s[i] == '[':
			depth++
		case s[i] == ']':
			depth--
		}
	}
	return parts
}

// expand is n[01-03] as n01, n02, n03.
func expand(name string) ([]string, error) {
	before, rest, ok := strings.Cut(name, "[")
	if !ok {
		return []string{name}, nil
	}
	inside, after, ok := strings.Cut(rest, "]")
	if !ok || strings.ContainsAny(after, "[]") {
		return nil, fmt.Errorf("%q is no list of nodes such as n[1-3,7]", name)
	}
	var names []string
	for _, r := range strings.Split(inside, ",") {
		first, last, ranged := strings.Cut(r, "-")
		if !ranged {
			last = first
		}
		a, err1 := strconv.Atoi(first)
		b, err2 := strconv.Atoi(last)
		if err1 != nil || err2 != nil || a < 0 || b < a || b-a > 10_000 {
			return nil, fmt.Errorf("%q is no list of nodes such as n[1-3,7]", name)
		}
		for n := a; n <= b; n++ {
			names = append(names, fmt.Sprintf("%s%0*d%s", before, len(first), n, after))
		}
	}
	return names, nil
}

// amounts reads "gpu:2,fpga" or "matlab:3@server": names with numbers. Of
// gpu:a100:2 it says what stands between.
func amounts(list string) (sums map[string]int64, kinds []string, err error) {
	sums = map[string]int64{}
	for _, part := range strings.Split(list, ",") {
		fields := strings.Split(strings.TrimSpace(part), ":")
		name, n := fields[0], int64(1)
		if name == "" {
			return nil, nil, fmt.Errorf("%q is no list such as gpu:2", list)
		}
		last := fields[len(fields)-1]
		if v, perr := strconv.ParseInt(last, 10, 64); perr == nil && len(fields) > 1 {
			if v < 0 || v > 1_000_000 {
				return nil, nil, fmt.Errorf("%q is no amount", part)
			}
			n, fields = v, fields[:len(fields)-1]
		}
		if len(fields) > 2 {
			return nil, nil, fmt.Errorf("%q is no amount such as gpu:2 or gpu:a100:2", part)
		}
		if len(fields) == 2 {
			kinds = append(kinds, fields[1])
		}
		if n > 0 {
			sums[name] += n
		}
	}
	return sums, kinds, nil
}
