package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	names := map[string]string{"8": "small", "sent": "large"}
	got, err := parse([]byte("8 12.5\nsent 7\n8 11\n"), names)
	if want := (samples{"small": {12.5, 11}, "large": {7}}); err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	for _, bad := range []string{"", "8 1\n", "8 1\nsent 2\nmore 3\n", "8 x\nsent 1\n"} {
		if got, err := parse([]byte(bad), names); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

func TestMedian(t *testing.T) {
	if got := median([]float64{9, 1, 5, 7, 3}); got != 5 {
		t.Errorf("median %v, want 5", got)
	}
}
