package output

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/shuffle/store"
)

const (
	manifestName = "_manifest.json"
	successName  = "_SUCCESS"
	// replacedName holds the manifest of a result in the store that is being
	// replaced.
	replacedName = "_replaced.json"
)

// Meta says whose result it is and what its columns are.
type Meta struct {
	Job     core.JobID `json:"job"`
	Epoch   core.Epoch `json:"epoch"`
	Columns []Column   `json:"columns,omitempty"`
}

// Column is a column of the result.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"` // as Arrow writes it: "utf8", "int64"
}

// ColumnsOf describes a schema.
func ColumnsOf(s *arrow.Schema) []Column {
	cols := make([]Column, s.NumFields())
	for i, f := range s.Fields() {
		cols[i] = Column{Name: f.Name, Type: f.Type.String()}
	}
	return cols
}

// Manifest is what a committed result consists of. It holds no time, so the
// same commit is the same bytes.
type Manifest struct {
	Version int `json:"version"` // 1
	Meta
	Format      string         `json:"format"`
	Compression string         `json:"compression,omitempty"`
	Rows        int64          `json:"rows"`  // of the result parts
	Bytes       int64          `json:"bytes"` // of the result parts, as stored
	Parts       []ManifestPart `json:"parts"` // results first, by ordinal
}

// ManifestPart is one file of a committed result.
type ManifestPart struct {
	Path   string `json:"path"` // below the destination
	Kind   string `json:"kind"`
	Bytes  int64  `json:"bytes"`
	Rows   int64  `json:"rows"`
	CRC32C uint32 `json:"crc32c"`
	// Staged is where a result in the store is found until it is placed.
	Staged string `json:"staged,omitempty"`
}

// manifestOf describes parts. staged: the destination is the store.
func manifestOf(out dataset.Output, parts []Part, meta Meta, staged bool) (Manifest, error) {
	m := Manifest{Version: 1, Meta: meta, Format: cmp.Or(out.Format, "text"), Compression: out.Compression, Parts: []ManifestPart{}}
	rank := map[string]int{Result: 0, Side: 1, DeadLetter: 2}
	parts = slices.Clone(parts)
	slices.SortFunc(parts, func(a, b Part) int {
		return cmp.Or(cmp.Compare(rank[a.Kind], rank[b.Kind]), cmp.Compare(a.Ordinal, b.Ordinal), cmp.Compare(a.Name, b.Name))
	})
	seen := make(map[string]bool, len(parts))
	for _, p := range parts {
		at := p.Path()
		if seen[at] || !filepath.IsLocal(at) || p.Name != filepath.Base(p.Name) {
			return m, core.Errorf(core.Internal, "two parts are called %q, or it is no file name", at)
		}
		seen[at] = true
		mp := ManifestPart{Path: at, Kind: p.Kind, Bytes: p.Bytes, Rows: p.Rows, CRC32C: p.CRC32C}
		if staged {
			mp.Path, mp.Staged = p.attemptPath(meta), p.Object
		}
		m.Parts = append(m.Parts, mp)
		if p.Kind == Result {
			m.Rows += p.Rows
			m.Bytes += p.Bytes
		}
	}
	return m, nil
}

func (m Manifest) encode() []byte {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		panic(err) // plain numbers and strings
	}
	return append(b, '\n')
}

func decodeManifest(where string, b []byte) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil || m.Version != 1 {
		return m, core.Errorf(core.Conflict, "the manifest there is not one of Capstan's, or of a newer version").
			At(where).Do("write to another folder")
	}
	return m, nil
}

// ReadManifest reads the manifest of the result at url. NotFound: nothing is
// committed there. st may be nil for a file:// URL.
func ReadManifest(ctx context.Context, st Store, url string) (Manifest, error) {
	dest, err := parseDest(url)
	if err != nil {
		return Manifest{}, err
	}
	b, err := dest.readAll(ctx, st, manifestName)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, store.ErrNotFound) {
		return Manifest{}, core.Errorf(core.NotFound, "no result is committed there").At(url).
			Do("check the path, or look at the job: capstan status JOB")
	}
	if err != nil {
		return Manifest{}, err
	}
	return decodeManifest(url, b)
}

// dest is a parsed destination: a folder on this machine's disk, or in the store.
type dest struct {
	url    string
	dir    string // file://: absolute, cleaned
	prefix string // s3://: "bucket/key" or "bucket", no slash at the end
}

func parseDest(url string) (dest, error) {
	if rest, ok := strings.CutPrefix(url, "s3://"); ok {
		p := strings.Trim(rest, "/")
		if p == "" || strings.Contains(p, "//") {
			return dest{}, core.Errorf(core.Invalid, "%q names no place in the store", url).At("spec.output.path").Do("write s3://bucket/folder")
		}
		return dest{url: url, prefix: p}, nil
	}
	dir, err := input.LocalPath(url)
	if err != nil {
		return dest{}, core.Errorf(core.Invalid, "%q is not a file:// or s3:// URL", url).At("spec.output.path").Do("write file:///folder or s3://bucket/folder")
	}
	dir = filepath.Clean(dir)
	// A link cannot be renamed over: the result goes to where it points.
	if target, err := filepath.EvalSymlinks(dir); err == nil {
		dir = target
	}
	if dir == "/" {
		return dest{}, core.Errorf(core.Invalid, "the result cannot be the root folder").At("spec.output.path").Do("name a folder in it")
	}
	return dest{url: url, dir: dir}, nil
}

func (d dest) local() bool { return d.dir != "" }

// open opens a file below the destination.
func (d dest) open(ctx context.Context, st Store, name string) (io.ReadCloser, error) {
	if d.local() {
		return os.Open(filepath.Join(d.dir, name))
	}
	if st == nil {
		return nil, core.Errorf(core.Internal, "no store to read from").At(d.url)
	}
	r, _, err := st.Get(ctx, d.prefix+"/"+name, 0, -1)
	return r, err
}

func (d dest) readAll(ctx context.Context, st Store, name string) ([]byte, error) {
	r, err := d.open(ctx, st, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read %s/%s: %w", d.url, name, err)
	}
	return b, nil
}
