package work

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func framed(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	f := newFrames(&out)
	// In pieces that do not fit frames.
	for rest := b; len(rest) > 0; {
		n := min(len(rest), 300_007)
		if _, err := f.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if err := f.end(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestFrames(t *testing.T) {
	for _, n := range []int{0, 1, frameSize - 1, frameSize, frameSize + 1, 3*frameSize + 17} {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i * 7)
		}
		got, err := io.ReadAll(newUnframed(io.NopCloser(bytes.NewReader(framed(t, b)))))
		if err != nil || !bytes.Equal(got, b) {
			t.Errorf("%d bytes: %d came back, %v", n, len(got), err)
		}
	}
}

// TestDamage: a byte changed, or the file cut off, anywhere is an error that says
// so.
func TestDamage(t *testing.T) {
	b := framed(t, bytes.Repeat([]byte("abc"), 100))
	read := func(b []byte) error {
		_, err := io.ReadAll(newUnframed(io.NopCloser(bytes.NewReader(b))))
		return err
	}
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 4
		if err := read(bad); !errors.Is(err, errDamaged) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		if err := read(b[:i]); !errors.Is(err, errDamaged) {
			t.Errorf("cut off at %d: %v", i, err)
		}
	}
}

func FuzzUnframed(f *testing.F) {
	f.Add(framed(f, []byte("some bytes")))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := io.ReadAll(newUnframed(io.NopCloser(bytes.NewReader(b))))
		if err == nil && len(got) > len(b) {
			t.Errorf("%d bytes of %d", len(got), len(b))
		}
	})
}
