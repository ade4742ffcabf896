package table

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// TestMeet has ranks say words of many lengths, some beyond their room, and
// hear all of them, joined.
func TestMeet(t *testing.T) {
	for _, size := range []int{1, 2, 5} {
		dir := t.TempDir()
		var wg sync.WaitGroup
		for rank := range size {
			wg.Go(func() {
				tab, err := Open(filepath.Join(dir, "table"), rank, size)
				if err != nil {
					t.Error(err)
					return
				}
				defer tab.Close()
				for round := range 12 {
					want := []byte("judged")
					for r := range size {
						want = append(want, word(r, round)...)
					}
					got, err := tab.Meet(word(rank, round), nil, func(words [][]byte) []byte {
						return append([]byte("judged"), bytes.Join(words, nil)...)
					}, never)
					if err != nil || !bytes.Equal(got, want) {
						t.Errorf("rank %d of %d in round %d heard %d bytes, want %d: %v", rank, size, round, len(got), len(want), err)
						return
					}
				}
			})
		}
		wg.Wait()
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%d ranks left %v, %v", size, left, err)
		}
	}
}

func never() error { return nil }

func word(rank, round int) []byte {
	n := []int{0, 1, 100, wordRoom, wordRoom + 1, 300_000}[(rank+round)%6]
	return []byte(strings.Repeat(fmt.Sprint(rank, ".", round, " "), n/4+1)[:n])
}

// TestGiveUp has a rank wait for one that never comes.
func TestGiveUp(t *testing.T) {
	tab, err := Open(filepath.Join(t.TempDir(), "table"), 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer tab.Close()
	ctx, cancel := context.WithCancel(context.Background())
	looks := 0
	_, err = tab.Meet(nil, nil, nil, func() error {
		if looks++; looks == 3 {
			cancel()
		}
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) || looks != 3 {
		t.Errorf("after %d looks: %v", looks, err)
	}
}

// TestSizes has ranks that do not agree how many they are.
func TestSizes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table")
	tab, err := Open(path, 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer tab.Close()
	if _, err := Open(path, 1, 3); core.KindOf(err) != core.Conflict {
		t.Errorf("another size: %v", err)
	}
	if _, err := Open(path, 2, 2); core.KindOf(err) != core.Invalid {
		t.Errorf("rank 2 of 2: %v", err)
	}
}
