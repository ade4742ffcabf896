package corpus

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// Answer is the outcome of a word count. Two counts are the same if their
// answers are equal.
type Answer struct {
	Words    int64  `json:"words"`
	Distinct int    `json:"distinct"`
	SHA256   string `json:"sha256"` // of "word TAB count NEWLINE" for each word, in the order of words
}

// Counts is a word count under way.
type Counts map[string]int64

// AddText counts the words of p.
func (c Counts) AddText(p []byte) {
	for w := range bytes.FieldsSeq(p) {
		c[string(w)]++
	}
}

// AddResult reads lines of word, TAB, count.
func (c Counts) AddResult(r io.Reader) error {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 16<<20)
	for n := 1; s.Scan(); n++ {
		word, count, ok := bytes.Cut(s.Bytes(), []byte{'\t'})
		v, err := strconv.ParseInt(string(count), 10, 64)
		if !ok || err != nil {
			return fmt.Errorf("line %d: %.60q is not a word, a tab and a count", n, s.Bytes())
		}
		if _, twice := c[string(word)]; twice {
			return fmt.Errorf("line %d: %.60q is counted twice", n, word)
		}
		c[string(word)] = v
	}
	return s.Err()
}

// Answer sums c up.
func (c Counts) Answer() Answer {
	h := sha256.New()
	w := bufio.NewWriter(h)
	a := Answer{Distinct: len(c)}
	for _, word := range slices.Sorted(maps.Keys(c)) {
		a.Words += c[word]
		fmt.Fprintf(w, "%s\t%d\n", word, c[word])
	}
	w.Flush()
	a.SHA256 = hex.EncodeToString(h.Sum(nil))
	return a
}

// ReadCounts reads a result: the files of dir named part-*, or dir itself if
// it is a file.
func ReadCounts(dir string) (Counts, error) {
	files := []string{dir}
	if info, err := os.Stat(dir); err != nil {
		return nil, err
	} else if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(dir, "part-*")); err != nil {
			return nil, err
		}
	}
	c := Counts{}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		err = c.AddResult(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return c, nil
}
