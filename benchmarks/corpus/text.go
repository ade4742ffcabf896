package corpus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Text is a text in the cache.
type Text struct {
	Dir    string `json:"-"`      // holds nothing but the text's files
	File   string `json:"-"`      // the file, if it is one
	Files  int    `json:"files"`  // how many files the text is cut into
	Bytes  int64  `json:"bytes"`  // of all files
	Answer Answer `json:"answer"` // of a word count
}

// Source makes texts out of a source tree.
type Source struct {
	Root  string // directory of the tree; its *.go files count, in the order of names
	Name  string // tells trees apart in the cache, such as "go1.26.8"
	Cache string // directory; made if it is not there
}

// Text answers the text of about size bytes in so many files, from the cache
// or made now.
func (s Source) Text(size int64, files int) (Text, error) {
	dir := filepath.Join(s.Cache, fmt.Sprintf("text-%s-%d-%d", s.Name, size, files))
	t, err := load(dir)
	if err == nil {
		return t, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return Text{}, err
	}
	base, err := s.base(size)
	if err != nil {
		return Text{}, err
	}
	if err := os.MkdirAll(s.Cache, 0o755); err != nil {
		return Text{}, err
	}
	tmp, err := os.MkdirTemp(s.Cache, "making-")
	if err != nil {
		return Text{}, err
	}
	defer os.RemoveAll(tmp)
	// Executors run as another user.
	if err := os.Chmod(tmp, 0o755); err != nil {
		return Text{}, err
	}
	if err := write(tmp, base, size, files); err != nil {
		return Text{}, err
	}
	if err := os.Rename(tmp, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return Text{}, err
	}
	return load(dir)
}

func load(dir string) (Text, error) {
	b, err := os.ReadFile(filepath.Join(dir, "text.json"))
	if err != nil {
		return Text{}, err
	}
	t := Text{Dir: filepath.Join(dir, "text")}
	if err := json.Unmarshal(b, &t); err != nil {
		return Text{}, fmt.Errorf("%s: %w", dir, err)
	}
	if t.Files == 1 {
		t.File = filepath.Join(t.Dir, name(0))
	}
	return t, nil
}

func name(i int) string { return fmt.Sprintf("%05d.txt", i) }

// base is the cleaned tree, as much of it as size asks for.
func (s Source) base(size int64) ([]byte, error) {
	var base []byte
	err := filepath.WalkDir(s.Root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		if int64(len(base)) > size {
			return fs.SkipAll
		}
		p, err := os.ReadFile(path)
		base = clean(base, p)
		return err
	})
	if err == nil && len(base) == 0 {
		err = fmt.Errorf("%s holds no Go source", s.Root)
	}
	return base, err
}

// write lays the text into dir. It is read again from what was written, so
// that the answer is of the files and not of an intention.
func write(dir string, base []byte, size int64, files int) error {
	text := filepath.Join(dir, "text")
	if err := os.Mkdir(text, 0o755); err != nil {
		return err
	}
	t, counts := Text{Files: files}, Counts{}
	rest := &repeated{base: base, left: size}
	for i := range files {
		left := rest.left / int64(files-i)
		n, err := writeFile(filepath.Join(text, name(i)), rest, left, counts)
		if err != nil {
			return err
		}
		t.Bytes += n
	}
	t.Answer = counts.Answer()
	b, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "text.json"), b, 0o644)
}

func writeFile(path string, from *repeated, size int64, counts Counts) (written int64, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for written < size {
		p := from.next(size - written)
		if len(p) == 0 {
			break
		}
		counts.AddText(p)
		if _, err := f.Write(p); err != nil {
			return written, err
		}
		written += int64(len(p))
	}
	return written, nil
}

// repeated is a text over and over, until left bytes of it are taken.
type repeated struct {
	base []byte
	at   int
	left int64
}

// next takes at most n bytes, whole lines; nothing if not even one line fits.
func (r *repeated) next(n int64) []byte {
	p := r.base[r.at:]
	if n = min(n, r.left); n < int64(len(p)) {
		p = p[:bytes.LastIndexByte(p[:n], '\n')+1]
	}
	if r.at += len(p); r.at == len(r.base) {
		r.at = 0
	}
	r.left -= int64(len(p))
	return p
}
