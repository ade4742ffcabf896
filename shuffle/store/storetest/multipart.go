package storetest

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/minio/minio-go/v7"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/store"
)

// plain hides everything of a reader but Read.
type plain struct{ io.Reader }

func (s suite) unseekable(t *testing.T) {
	for _, n := range []int{0, 10, 5 << 20, 20 << 20} {
		want := Bytes(n, 4)
		for _, size := range []int64{int64(n), -1} {
			path := s.prefix + "unseekable"
			info, err := s.c.Put(t.Context(), path, plain{bytes.NewReader(want)}, size, store.PutOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if got := ReadAll(t, s.c, path); !bytes.Equal(got, want) || info.Size != int64(n) {
				t.Errorf("%d bytes announced as %d came back as %d, size %d", n, size, len(got), info.Size)
			}
		}
	}
}

// sparse is a big body that costs no memory.
type sparse struct{ block []byte }

func (z sparse) ReadAt(p []byte, off int64) (int, error) {
	for n := 0; n < len(p); {
		n += copy(p[n:], z.block[(off+int64(n))%int64(len(z.block)):])
	}
	return len(p), nil
}

func (s suite) multipart(t *testing.T) {
	const size = 21<<20 + 17
	src := sparse{Bytes(1<<20+1, 5)}
	path := s.prefix + "multipart"
	info, err := s.small.Put(t.Context(), path, io.NewSectionReader(src, 0, size), size, store.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if info.Size != size {
		t.Errorf("size %d", info.Size)
	}
	want, got := crc32.NewIEEE(), crc32.NewIEEE()
	io.Copy(want, io.NewSectionReader(src, 0, size))
	r, _, err := s.c.Get(t.Context(), path, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n, err := io.Copy(got, r); n != size || err != nil || got.Sum32() != want.Sum32() {
		t.Errorf("%d of %d bytes, sum %x for %x, %v", n, size, got.Sum32(), want.Sum32(), err)
	}
	if err := s.c.Delete(t.Context(), path); err != nil {
		t.Error(err)
	}
}

func (s suite) shortSource(t *testing.T) {
	old := s.put(t, "short", []byte("the good old object"))
	for _, size := range []int64{100, 5 << 20} {
		for _, path := range []string{old, s.prefix + "short-new"} {
			_, err := s.c.Put(t.Context(), path, plain{bytes.NewReader(make([]byte, size-1))}, size, store.PutOptions{})
			if core.KindOf(err) != core.Invalid {
				t.Errorf("source of %d for %d bytes: %v", size-1, size, err)
			}
		}
	}
	if got := ReadAll(t, s.c, old); string(got) != "the good old object" {
		t.Errorf("the old object is now %d bytes", len(got))
	}
	if _, err := s.c.Stat(t.Context(), s.prefix+"short-new"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a stump was published: %v", err)
	}
}

// failedUpload breaks uploads off after some of their parts are there.
func (s suite) failedUpload(t *testing.T) {
	for name, body := range map[string]io.Reader{
		"stream": io.MultiReader(bytes.NewReader(Bytes(12<<20, 1)), dying{bytes.NewReader(nil)}),
		"file":   io.NewSectionReader(broken{sparse{Bytes(1000, 1)}, 17 << 20}, 0, 20<<20),
	} {
		size := int64(-1)
		if name == "file" {
			size = 20 << 20
		}
		path := s.prefix + "failed/" + name
		if _, err := s.small.Put(t.Context(), path, body, size, store.PutOptions{}); !errors.Is(err, errDies) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := s.c.Stat(t.Context(), path); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: an object is there: %v", name, err)
		}
	}
	s.noUploads(t, s.prefix+"failed/")
}

// broken cannot be read from byte at on.
type broken struct {
	io.ReaderAt
	at int64
}

func (b broken) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.at {
		return 0, errDies
	}
	return b.ReaderAt.ReadAt(p, off)
}

func (s suite) noUploads(t *testing.T, prefix string) {
	t.Helper()
	for u, err := range s.c.Uploads(t.Context(), prefix) {
		t.Errorf("upload %+v, %v", u, err)
	}
}

func (s suite) uploads(t *testing.T) {
	mc := Core(t, s.c.Access())
	prefix, err := store.ParsePrefix(s.prefix + "uploads/")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, key := range []string{"a", "b/c", "b/d"} {
		id, err := mc.NewMultipartUpload(t.Context(), prefix.Bucket, prefix.Key+key, minio.PutObjectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		want[id] = true
	}
	for u, err := range s.c.Uploads(t.Context(), prefix.String()) {
		if err != nil || !want[u.ID] || u.Started.IsZero() {
			t.Errorf("upload %+v, %v", u, err)
		}
		for range 2 { // what is gone already is no error
			if err := s.c.AbortUpload(t.Context(), u); err != nil {
				t.Error(err)
			}
		}
		delete(want, u.ID)
	}
	if len(want) > 0 {
		t.Errorf("%d uploads are not listed", len(want))
	}
	s.noUploads(t, prefix.String())
}

func (s suite) racersMultipart(t *testing.T) {
	const size = 6 << 20
	path := s.prefix + "race/multipart"
	var wins atomic.Int32
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			_, err := s.small.Put(t.Context(), path, plain{bytes.NewReader(Bytes(size, uint64(i)))}, -1, store.PutOptions{IfNoneMatch: true})
			if err == nil {
				wins.Add(1)
			} else if !errors.Is(err, store.ErrExists) {
				t.Errorf("racer %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 {
		t.Errorf("%d racers won", wins.Load())
	}
}
