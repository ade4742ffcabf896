package artifact

import (
	"path"
	"path/filepath"
	"strings"

	"github.com/capstan-run/capstan/core"
)

const scheme = "artifact:"

// Artifact is a shipped file as it stands in a body: "artifact:<sha256>/<base>".
// In an executor it lies at Env.Files/<base>.
type Artifact struct {
	SHA256 string // 64 lower-case hexadecimal digits
	Base   string // file name without separators
}

// Parse reads the shipped form; ok is false for any other string.
func Parse(s string) (a Artifact, ok bool) {
	rest, ok := strings.CutPrefix(s, scheme)
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

// Malformed reports whether s means to be an artifact and is none.
func Malformed(s string) bool {
	_, ok := Parse(s)
	return !ok && strings.HasPrefix(s, scheme)
}

func (a Artifact) String() string { return scheme + a.SHA256 + "/" + a.Base }

// File is the artifact in an executor. It may be run: scripts among the files
// are called by name.
func (a Artifact) File() core.File {
	return core.File{Name: a.Base, SHA256: a.SHA256, Mode: 0o555}
}

// In is where a name of a body lies if dir is where the shipped files are: what
// is no artifact stays as it is.
func In(dir, name string) string {
	if a, ok := Parse(name); ok {
		return filepath.Join(dir, a.Base)
	}
	return name
}
