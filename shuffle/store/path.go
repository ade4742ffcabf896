package store

import (
	"strings"
	"unicode/utf8"

	"github.com/capstan-run/capstan/core"
)

const (
	maxKey       = 1024 // bytes, S3's own limit
	maxComponent = 255  // bytes, a file name's limit on the embedded server's disk
)

// Path names an object: a bucket and a key within it.
type Path struct{ Bucket, Key string }

// ParsePath reads "bucket/key". The key's components are non-empty, at most
// 255 bytes, and neither "." nor "..": such a key has one spelling in a URL, in
// a grant and on a disk.
func ParsePath(s string) (Path, error) {
	p, err := ParsePrefix(s)
	if err != nil {
		return Path{}, err
	}
	if p.Key == "" || strings.HasSuffix(p.Key, "/") {
		return Path{}, badPath(s, "it names no object")
	}
	return p, nil
}

// ParsePrefix reads "bucket/" or "bucket/start-of-key". Its key may be empty,
// and may end with a slash.
func ParsePrefix(s string) (Path, error) {
	bucket, key, ok := strings.Cut(s, "/")
	if !ok {
		return Path{}, badPath(s, "it has no slash after the bucket")
	}
	if why := badBucket(bucket); why != "" {
		return Path{}, badPath(s, why)
	}
	if why := badKey(key); why != "" {
		return Path{}, badPath(s, why)
	}
	return Path{bucket, key}, nil
}

func (p Path) String() string { return p.Bucket + "/" + p.Key }

// folder is the path up to its last slash: what a store counts requests by, at
// the finest.
func folder(path string) string { return path[:strings.LastIndexByte(path, '/')+1] }

func (p Path) folder() string { return folder(p.String()) }

func badBucket(b string) string {
	if len(b) < 3 || len(b) > 63 {
		return "a bucket's name has 3 to 63 characters"
	}
	for i := range len(b) {
		c := b[i]
		alnum := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		if !alnum && (c != '-' && c != '.' || i == 0 || i == len(b)-1) {
			return "a bucket's name has only a-z, 0-9, - and ., and starts and ends with a letter or digit"
		}
	}
	if strings.Contains(b, "..") {
		return "a bucket's name has no two dots in a row"
	}
	return ""
}

func badKey(key string) string {
	if len(key) > maxKey {
		return "its key is longer than 1024 bytes"
	}
	if !utf8.ValidString(key) {
		return "its key is not UTF-8"
	}
	for i := range len(key) {
		if key[i] < 0x20 || key[i] == 0x7f {
			return "its key holds a control character"
		}
	}
	if key == "" {
		return ""
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(key, "/"), "/") {
		switch {
		case part == "":
			return "its key has an empty component"
		case part == "." || part == "..":
			return `its key has a component "." or ".."`
		case len(part) > maxComponent:
			return "its key has a component longer than 255 bytes"
		}
	}
	// The embedded server keeps its temporary files under this name.
	if key == ".sgwtmp" || strings.HasPrefix(key, ".sgwtmp/") {
		return `its key starts with ".sgwtmp", which the store keeps for itself`
	}
	return ""
}

func badPath(s, why string) error {
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return core.Errorf(core.Invalid, "%q is no path in the store: %s", s, why).
		Do(`write "bucket/folder/name"`)
}
