package meter

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// group is a control group that counts CPU time. Its zero value counts
// nothing.
type group struct {
	dir   string
	usage func(dir string) (time.Duration, error)
}

// kinds are the places where a control group may be made, and how each tells
// its CPU time.
var kinds = []struct {
	mount, usage string
	parse        func(string) (time.Duration, error)
}{
	{"/sys/fs/cgroup", "cpu.stat", parseStat},
	{"/sys/fs/cgroup/cpuacct", "cpuacct.usage", parseNanos},
}

// newGroup makes a group, or none if this machine lets us have none.
func newGroup() *group {
	for _, k := range kinds {
		if _, err := os.Stat(filepath.Join(k.mount, "cgroup.procs")); err != nil {
			continue
		}
		dir, err := os.MkdirTemp(k.mount, fmt.Sprintf("capstan-bench-%d-", os.Getpid()))
		if err != nil {
			continue
		}
		g := &group{dir: dir, usage: func(dir string) (time.Duration, error) {
			b, err := os.ReadFile(filepath.Join(dir, k.usage))
			if err != nil {
				return 0, err
			}
			return k.parse(string(b))
		}}
		if _, err := g.usage(dir); err == nil {
			return g
		}
		os.Remove(dir)
	}
	return nil
}

// wrap makes args run inside g.
func (g *group) wrap(args []string) []string {
	return append([]string{"/bin/sh", "-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, g.dir}, args...)
}

func (g *group) cpu() (time.Duration, error) { return g.usage(g.dir) }

// close kills what is left in the group and removes it.
func (g *group) close() error {
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		b, err := os.ReadFile(filepath.Join(g.dir, "cgroup.procs"))
		if err != nil {
			return err
		}
		for _, field := range strings.Fields(string(b)) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		// The kernel lets go of a dead process a moment after it is reaped.
		err = os.Remove(g.dir)
		if !errors.Is(err, syscall.EBUSY) || time.Now().After(end) {
			return err
		}
	}
}

func parseNanos(s string) (time.Duration, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	return time.Duration(n), err
}

func parseStat(s string) (time.Duration, error) {
	for line := range strings.Lines(s) {
		if v, ok := strings.CutPrefix(line, "usage_usec "); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
			return time.Duration(n) * time.Microsecond, err
		}
	}
	return 0, fmt.Errorf("cpu.stat without usage_usec")
}
