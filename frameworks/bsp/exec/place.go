package exec

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// Command is what to start.
type Command struct {
	// Argv is the command and its arguments: a path, relative ones from the
	// directory where the shipped files are, or a name in PATH.
	Argv []string
	// Files is a directory whose files the command finds in its own, under
	// their names; "": none.
	Files string
	Env   map[string]string // beside the usual
}

// place is the directory of a process: private, empty but for links to files.
type place struct{ dir string }

const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func (c Command) place(scratch string) (*place, error) {
	dir, err := os.MkdirTemp(scratch, "peer-")
	if err != nil {
		return nil, err
	}
	l := &place{dir}
	if c.Files == "" {
		return l, nil
	}
	files, err := os.ReadDir(c.Files)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		l.remove()
		return nil, err
	}
	for _, f := range files {
		if err := os.Symlink(filepath.Join(c.Files, f.Name()), filepath.Join(dir, f.Name())); err != nil {
			l.remove()
			return nil, err
		}
	}
	return l, nil
}

func (l *place) remove() { _ = os.RemoveAll(l.dir) }

// environ is all of a process's environment. The executor's own is not the
// user's to see.
func (l *place) environ(c Command, p *peer.Peer) []string {
	vars := map[string]string{
		"PATH": l.dir + ":" + usualPath, "HOME": l.dir, "TMPDIR": l.dir, "PWD": l.dir, "LANG": "C.UTF-8",
		"CAPSTAN_RANK": strconv.Itoa(p.Rank()), "CAPSTAN_SIZE": strconv.Itoa(p.Size()), "CAPSTAN_CORES": strconv.Itoa(p.Cores()),
	}
	for name, v := range c.Env {
		vars[name] = v
	}
	list := make([]string, 0, len(vars))
	for name, v := range vars {
		list = append(list, name+"="+v)
	}
	slices.Sort(list)
	return list
}
