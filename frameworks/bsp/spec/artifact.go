package spec

import (
	"path"
	"strconv"
	"strings"
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

func (a Artifact) String() string { return "artifact:" + a.SHA256 + "/" + a.Base }

// Shipment is an artifact of a body and where it stands.
type Shipment struct {
	Path string // "algorithm.exec.0", "files.2"
	Artifact
}

// Shipped lists the artifacts of the body in a fixed order, programs included.
func (b *Body) Shipped() []Shipment {
	var list []Shipment
	add := func(place, s string) {
		if a, ok := ParseArtifact(s); ok {
			list = append(list, Shipment{place, a})
		}
	}
	if len(b.Algorithm.Exec) > 0 {
		add("algorithm.exec.0", b.Algorithm.Exec[0])
	}
	add("algorithm.program", b.Algorithm.Program)
	for i, f := range b.Files {
		add("files."+strconv.Itoa(i), f)
	}
	return list
}
