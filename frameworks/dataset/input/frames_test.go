package input

import (
	"bytes"
	"io"
	"testing"
)

// Whatever the bytes, frames passes on a prefix of them or refuses them.
func FuzzFrames(f *testing.F) {
	f.Add(arrowBytes(f, false))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, p []byte) {
		got, err := io.ReadAll(&frames{r: bytes.NewReader(p), left: int64(len(p))})
		if !bytes.HasPrefix(p, got) {
			t.Fatalf("%d bytes came out that did not go in: %v", len(got), err)
		}
	})
}

func TestFramesPassAStreamOn(t *testing.T) {
	want := arrowBytes(t, false)
	got, err := io.ReadAll(&frames{r: bytes.NewReader(want), left: int64(len(want))})
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d of %d bytes, %v", len(got), len(want), err)
	}
}
