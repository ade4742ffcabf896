package spec

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Amount is a number of copies or a part of them, such as 2 or "25%". The zero
// value is one that was not given.
type Amount struct {
	N       int
	Percent bool
	Given   bool
}

// Of is the amount of n copies; a part is rounded down, or up.
func (a Amount) Of(n int, up bool) int {
	if !a.Percent {
		return a.N
	}
	part := n * a.N
	if up {
		part += 99
	}
	return part / 100
}

func (a Amount) IsZero() bool { return !a.Given }

func (a Amount) String() string {
	if a.Percent {
		return strconv.Itoa(a.N) + "%"
	}
	return strconv.Itoa(a.N)
}

func (a Amount) MarshalJSON() ([]byte, error) {
	if a.Percent {
		return json.Marshal(a.String())
	}
	return json.Marshal(a.N)
}

func (a *Amount) UnmarshalJSON(b []byte) error {
	text := strings.Trim(string(b), `"`)
	digits, percent := strings.CutSuffix(text, "%")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 {
		return fmt.Errorf("%s is not a number of copies such as 2 or 25%%", b)
	}
	*a = Amount{N: n, Percent: percent, Given: true}
	return nil
}
