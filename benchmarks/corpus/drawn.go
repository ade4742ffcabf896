package corpus

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Drawn is a text of keys drawn at random, evenly or not. The same Drawn gives
// the same text, with so many files.
type Drawn struct {
	Bytes int64 // of all files; the last line of each may be missing
	Keys  int   // distinct ones
	// Groups puts keys into so many groups. Lines are then "group:key:1", else
	// words, some to a line.
	Groups int
	// Hot gives half of all rows, and in groups half of all keys, to the first
	// key or group.
	Hot bool
}

// wordsInLine is how many words stand in a line.
const wordsInLine = 8

// Write writes the text into files of dir, which it makes. Its answer is of
// what was written: the sum of each word, or of each "group:key".
func (d Drawn) Write(dir string, files int) (Text, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Text{}, err
	}
	t := Text{Dir: dir, Files: files}
	keys, drawn := d.keys(), make([][]int64, files)
	var g errgroup.Group
	for i := range files {
		g.Go(func() (err error) {
			drawn[i], err = d.file(filepath.Join(dir, name(i)), keys, uint64(i), d.Bytes/int64(files))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return Text{}, errors.Join(err, os.RemoveAll(dir))
	}
	counts := Counts{}
	for k, key := range keys {
		var n int64
		for _, of := range drawn {
			n += of[k]
		}
		if n > 0 {
			counts[string(key)] = n
			t.Bytes += n * int64(len(d.end(key, 0)))
		}
	}
	t.Answer = counts.Answer()
	return t, nil
}

// file writes at most size bytes of rows and answers how many each key has.
func (d Drawn) file(path string, keys [][]byte, seed uint64, size int64) (drawn []int64, err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	rng := rand.New(rand.NewPCG(seed, 1))
	drawn = make([]int64, d.Keys)
	var row []byte
	for n := 0; ; n++ {
		k := d.draw(rng)
		row = d.end(append(row[:0], keys[k]...), n)
		if size -= int64(len(row)); size < 0 {
			return drawn, w.Flush()
		}
		drawn[k]++
		if _, err := w.Write(row); err != nil {
			return nil, err
		}
	}
}

// draw is the number of a key.
func (d Drawn) draw(rng *rand.Rand) int {
	if d.Hot && d.Groups == 0 && rng.Uint64()&1 == 0 {
		return 0
	}
	return rng.IntN(d.Keys)
}

// keys are all of them, of one length and with no room behind.
func (d Drawn) keys() [][]byte {
	all := make([][]byte, d.Keys)
	for k := range all {
		key := fmt.Sprintf("w%07d", k)
		if d.Groups > 0 {
			key = fmt.Sprintf("g%03d:%07d", d.group(k), k)
		}
		all[k] = slices.Clip([]byte(key))
	}
	return all
}

func (d Drawn) group(k int) int {
	switch {
	case !d.Hot:
		return k % d.Groups
	case k < d.Keys/2:
		return 0
	}
	return 1 + k%(d.Groups-1)
}

// end appends what stands behind a key in row number n.
func (d Drawn) end(dst []byte, n int) []byte {
	switch {
	case d.Groups > 0:
		return append(dst, ":1\n"...)
	case n%wordsInLine == wordsInLine-1:
		return append(dst, '\n')
	}
	return append(dst, ' ')
}
