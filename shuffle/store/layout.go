package store

import (
	"fmt"

	"github.com/zeebo/xxh3"
)

// Layout names the objects of stages so that they spread over prefixes:
//
//	<Prefix><two hex digits of a hash>/<stage>/<name>
//	capstan/jobs/sort-x7/1/0b/map/wave-3.rank-1
//
// A store that splits its index by key ranges (S3 serves 3,500 writes and 5,500
// reads a second from each) can divide such names wherever they grow hot, and
// the client's own token buckets are one per folder too. Names that differ only
// in a number at their end stay in one range for long. The digits follow the
// attempt's own prefix, because the attempt's grant ends there. The index of an
// exchange carries objects' names, so no reader computes or lists them.
//
// The embedded server gains nothing from spreading, and syncs each new folder
// once: 16 folders are 16 syncs per stage.
type Layout struct {
	Prefix string // "bucket/key/", with the slash
	Fan    int    // prefixes of a stage, up to 256. Default 16; 1 adds no digits.
}

func (l Layout) fan() int {
	if l.Fan <= 0 {
		return 16
	}
	return min(l.Fan, 256)
}

// Object is the path of a stage's object. stage and name are parts of a path:
// the same two give the same path for ever.
func (l Layout) Object(stage, name string) string {
	n := l.fan()
	return l.folder(int(xxh3.HashString(stage+"/"+name)%uint64(n))) + stage + "/" + name
}

// Stage lists the prefixes that hold the stage's objects and nothing else: to
// delete or to count them.
func (l Layout) Stage(stage string) []string {
	list := make([]string, l.fan())
	for i := range list {
		list[i] = l.folder(i) + stage + "/"
	}
	return list
}

func (l Layout) folder(i int) string {
	if l.fan() == 1 {
		return l.Prefix
	}
	return fmt.Sprintf("%s%02x/", l.Prefix, i)
}
