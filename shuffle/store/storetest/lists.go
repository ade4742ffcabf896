package storetest

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/capstan-run/capstan/shuffle/store"
)

func (s suite) listPaging(t *testing.T) {
	var want []string
	for i := range 105 {
		want = append(want, fmt.Sprintf("%slist/%02d/%04d", s.prefix, i/10, i))
	}
	var wg sync.WaitGroup
	next := make(chan string)
	for range 16 {
		wg.Go(func() {
			for path := range next {
				if _, err := s.c.Put(t.Context(), path, bytes.NewReader([]byte("x")), 1, store.PutOptions{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, path := range want {
		next <- path
	}
	close(next)
	wg.Wait()
	for _, from := range []int{0, 1, 49, 50, 51, 105} {
		after := ""
		if from > 0 {
			after = want[from-1]
		}
		i := from
		for o, err := range s.small.List(t.Context(), s.prefix+"list/", after) {
			if err != nil {
				t.Fatal(err)
			}
			if i >= len(want) || o.Path != want[i] || o.Size != 1 {
				t.Fatalf("after %q: object %d is %+v", after, i, o)
			}
			i++
		}
		if i != len(want) {
			t.Errorf("after %q: %d objects, want %d", after, i-from, len(want)-from)
		}
	}
	if u, err := s.small.Usage(t.Context(), s.prefix+"list/"); err != nil || u != (store.Usage{Objects: 105, Bytes: 105}) {
		t.Errorf("usage %+v, %v", u, err)
	}
}

func (s suite) deletePrefix(t *testing.T) {
	keep := s.put(t, "list-not", []byte("x"))
	n, err := s.small.DeletePrefix(t.Context(), s.prefix+"list/")
	if n != 105 || err != nil {
		t.Errorf("deleted %d, %v", n, err)
	}
	for o, err := range s.small.List(t.Context(), s.prefix+"list", "") {
		if err != nil || o.Path != keep {
			t.Errorf("left %+v, %v", o, err)
		}
	}
	if n, err := s.small.DeletePrefix(t.Context(), s.prefix+"list/"); n != 0 || err != nil {
		t.Errorf("deleted again: %d, %v", n, err)
	}
}
