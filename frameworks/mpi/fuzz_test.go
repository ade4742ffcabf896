package mpi

import (
	"bytes"
	"testing"
)

// FuzzTrailer: what is read of a message is what would be written, or an error.
func FuzzTrailer(f *testing.F) {
	f.Add([]byte{})
	f.Add(appendTrailer([]byte("payload"), trailer{kindPlain, 24}))
	f.Fuzz(func(t *testing.T, b []byte) {
		end, payload, err := readTrailer(b)
		if err == nil && !bytes.Equal(appendTrailer(payload, end), b) {
			t.Errorf("% x was read as %+v", b, end)
		}
	})
}

// FuzzAccess: no access, however it was written, leaves its window.
func FuzzAccess(f *testing.F) {
	f.Add(access{op: accessAccumulate, how: Add, at: 1, n: 2}.bytes())
	f.Add(append(access{op: accessSwap, at: 3, n: 1}.bytes(), make([]byte, 16)...))
	f.Add(append(access{op: accessFetch, at: 1 << 62, n: 1 << 62}.bytes(), make([]byte, 16)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, data, err := readAccess(b)
		if err != nil || a.op >= accessFlush {
			return
		}
		memory := make([]byte, 4*8+8)
		w := &window{memory: memory[: 4*8 : 4*8], size: 8}
		w.ops = append(w.ops, reducing(opOf[uint64](Add)).combine)
		if part, err := w.part(a); err == nil {
			if was, err := w.change(a, part, data); err == nil && was != nil && len(was) != len(part) {
				t.Errorf("%+v was answered with %d bytes", a, len(was))
			}
		}
	})
}
