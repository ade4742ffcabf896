package work

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// framed is a file of two sections that take turns, and a manifest.
func framed(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	f := newFrames(&out, nil)
	write := func(section uint32, b []byte) {
		t.Helper()
		if err := f.turn(section); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	// In pieces that do not fit frames.
	for rest := b; len(rest) > 0; {
		n := min(len(rest), 300_007)
		write(1, rest[:n])
		write(2, rest[:n/2])
		write(2, rest[n/2:n])
		rest = rest[n:]
	}
	write(manifestSection, []byte("{}"))
	if err := f.end(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// closer is a file that cannot seek.
func closer(b []byte) io.ReadCloser { return io.NopCloser(bytes.NewBuffer(b)) }

// seeker is one that can.
type seeker struct{ *bytes.Reader }

func (seeker) Close() error { return nil }

func TestFrames(t *testing.T) {
	for _, n := range []int{0, 1, frameWhole - 1, frameWhole, frameWhole + 1, frameSize - 1, frameSize, frameSize + 1, 3*frameSize + 17} {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i * 7)
		}
		file := framed(t, b)
		for _, open := range []func() io.ReadCloser{
			func() io.ReadCloser { return closer(file) },
			func() io.ReadCloser { return seeker{bytes.NewReader(file)} },
		} {
			for section := uint32(1); section <= 2; section++ {
				got, err := io.ReadAll(newUnframed(open(), section, int64(n)))
				if err != nil || !bytes.Equal(got, b) {
					t.Errorf("%d bytes, section %d: %d came back, %v", n, section, len(got), err)
				}
			}
			if got, err := io.ReadAll(newUnframed(open(), manifestSection, -1)); err != nil || string(got) != "{}" {
				t.Errorf("%d bytes: the manifest is %q, %v", n, got, err)
			}
		}
	}
}

// TestDamage: a byte changed, or the file cut off, anywhere is an error that says
// so, of the manifest or of a section.
func TestDamage(t *testing.T) {
	whole := bytes.Repeat([]byte("abc"), 100)
	file := framed(t, whole)
	read := func(b []byte) error {
		for section := uint32(1); section <= 2; section++ {
			if _, err := io.ReadAll(newUnframed(closer(b), section, int64(len(whole)))); err != nil {
				return err
			}
		}
		_, err := readManifest(closer(b))
		return err
	}
	if err := read(file); err != nil {
		t.Fatal(err)
	}
	for i := range file {
		bad := bytes.Clone(file)
		bad[i] ^= 4
		if err := read(bad); !errors.Is(err, errDamaged) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		if err := read(file[:i]); !errors.Is(err, errDamaged) {
			t.Errorf("cut off at %d: %v", i, err)
		}
	}
	for _, length := range []int64{299, 301} {
		if _, err := io.ReadAll(newUnframed(closer(file), 1, length)); !errors.Is(err, errDamaged) {
			t.Errorf("a section said to have %d bytes: %v", length, err)
		}
	}
}

func FuzzUnframed(f *testing.F) {
	f.Add(framed(f, []byte("some bytes")), uint32(1), int64(10))
	f.Fuzz(func(t *testing.T, b []byte, section uint32, length int64) {
		got, err := io.ReadAll(newUnframed(closer(b), section, length))
		if err == nil && (len(got) > len(b) || length >= 0 && int64(len(got)) != length) {
			t.Errorf("%d bytes of %d, of a section of %d", len(got), len(b), length)
		}
	})
}
