package core

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// MilliCPU is an amount of CPU in thousandths of a core. In documents: "500m",
// "2", 0.5.
type MilliCPU int64

// ParseCPU reads "500m", "2" or "0.5".
func ParseCPU(s string) (MilliCPU, error) {
	if n, ok := strings.CutSuffix(s, "m"); ok {
		v, err := strconv.ParseInt(n, 10, 64)
		if err != nil || v < 0 {
			return 0, fmt.Errorf("cpu %q is not an amount such as 500m or 2", s)
		}
		return MilliCPU(v), nil
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || v < 0 || v > 1e6 || math.IsNaN(v) {
		return 0, fmt.Errorf("cpu %q is not an amount such as 500m or 2", s)
	}
	return MilliCPU(math.Round(v * 1000)), nil
}

func (c MilliCPU) String() string {
	if c%1000 == 0 {
		return strconv.FormatInt(int64(c)/1000, 10)
	}
	return strconv.FormatInt(int64(c), 10) + "m"
}

func (c MilliCPU) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }

func (c *MilliCPU) UnmarshalJSON(b []byte) error {
	v, err := ParseCPU(strings.Trim(string(b), `"`))
	*c = v
	return err
}

// Bytes is an amount of memory or data. In documents: "512Mi", "2Gi", "1G", 1048576.
type Bytes int64

var byteUnits = []struct {
	suffix string
	factor int64
}{
	{"Ki", 1 << 10}, {"Mi", 1 << 20}, {"Gi", 1 << 30}, {"Ti", 1 << 40},
	{"k", 1e3}, {"K", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12},
}

// ParseBytes reads "512Mi", "1.5Gi", "1G" or "1048576".
func ParseBytes(s string) (Bytes, error) {
	num, factor := strings.TrimSuffix(s, "B"), int64(1)
	for _, u := range byteUnits {
		if n, ok := strings.CutSuffix(num, u.suffix); ok {
			num, factor = n, u.factor
			break
		}
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(num), 64)
	if err != nil || v < 0 || v*float64(factor) > 1e18 || math.IsNaN(v) {
		return 0, fmt.Errorf("size %q is not an amount such as 512Mi or 2Gi", s)
	}
	return Bytes(v * float64(factor)), nil
}

// String is the shortest exact form: "512Mi".
func (b Bytes) String() string {
	for i := 3; i >= 0; i-- {
		if u := byteUnits[i]; b != 0 && int64(b)%u.factor == 0 {
			return strconv.FormatInt(int64(b)/u.factor, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// Short is String where that is short, else rounded: "512Mi", "23.5Gi".
func (b Bytes) Short() string {
	exact := b.String()
	if len(exact) <= 6 {
		return exact
	}
	for i := 3; i >= 0; i-- {
		if u := byteUnits[i]; int64(b) >= u.factor {
			return strconv.FormatFloat(float64(b)/float64(u.factor), 'f', 1, 64) + u.suffix
		}
	}
	return exact
}

func (b Bytes) MarshalJSON() ([]byte, error) { return json.Marshal(b.String()) }

func (b *Bytes) UnmarshalJSON(p []byte) error {
	v, err := ParseBytes(strings.Trim(string(p), `"`))
	*b = v
	return err
}

// Duration is a time.Duration that reads and writes as "90s" or "10m".
type Duration time.Duration

func (d Duration) String() string               { return time.Duration(d).String() }
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

func (d *Duration) UnmarshalJSON(b []byte) error {
	v, err := time.ParseDuration(strings.Trim(string(b), `"`))
	if err != nil || v < 0 {
		return fmt.Errorf("duration %s is not a time such as 90s or 10m", b)
	}
	*d = Duration(v)
	return nil
}
