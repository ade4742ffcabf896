package core

import "testing"

func TestQuantities(t *testing.T) {
	for in, want := range map[string]MilliCPU{"500m": 500, "2": 2000, "0.5": 500, "0": 0} {
		if got, err := ParseCPU(in); err != nil || got != want {
			t.Errorf("ParseCPU(%q) = %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "x", "-1", "1e99", "NaN", "m"} {
		if got, err := ParseCPU(in); err == nil {
			t.Errorf("ParseCPU(%q) = %d, want an error", in, got)
		}
	}
	for in, want := range map[string]Bytes{"512Mi": 512 << 20, "1.5Gi": 3 << 29, "1G": 1e9, "64KiB": 64 << 10, "7": 7} {
		if got, err := ParseBytes(in); err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %d, %v; want %d", in, got, err, want)
		}
	}
	for in, want := range map[Bytes]string{512 << 20: "512Mi", 25276510208: "23.5Gi", 0: "0", 1000: "1000", 1536 << 20: "1536Mi"} {
		if got := in.Short(); got != want {
			t.Errorf("Bytes(%d).Short() = %q, want %q", in, got, want)
		}
	}
}
