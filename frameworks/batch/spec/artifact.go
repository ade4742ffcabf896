package spec

import (
	"path"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// Artifact is a shipped file as it stands in a body: "artifact:<sha256>/<base>".
// In an executor it lies at Env.Files/<base>.
type Artifact struct {
	SHA256 string // 64 lower-case hexadecimal digits
	Base   string // file name without separators
}

// ParseArtifact reads the shipped form; ok is false for any other string.
func ParseArtifact(s string) (a Artifact, ok bool) {
	rest, ok := strings.CutPrefix(s, "artifact:")
	if !ok {
		return Artifact{}, false
	}
	sum, base, ok := strings.Cut(rest, "/")
	if !ok || len(sum) != 64 || strings.Trim(sum, "0123456789abcdef") != "" {
		return Artifact{}, false
	}
	if base == "" || base == "." || base == ".." || path.Base(base) != base || strings.ContainsRune(base, 0) {
		return Artifact{}, false
	}
	return Artifact{SHA256: sum, Base: base}, true
}

// Shipped lists the body's artifacts as the files of an executor, each once. All
// may be run: scripts among them are called by name.
func (b *Body) Shipped() []core.File {
	var files []core.File
	add := func(s string) {
		a, ok := ParseArtifact(s)
		if !ok {
			return
		}
		for _, f := range files {
			if f.Name == a.Base {
				return
			}
		}
		files = append(files, core.File{Name: a.Base, SHA256: a.SHA256, Mode: 0o555})
	}
	if len(b.Command) > 0 {
		add(b.Command[0])
	}
	add(b.Stdin)
	for _, f := range b.Files {
		add(f)
	}
	return files
}
