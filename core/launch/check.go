package launch

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/capstan-run/capstan/core"
)

var executorID = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,179}$`)

// ValidID reports whether id can be an executor's.
func ValidID(id string) bool { return executorID.MatchString(id) }

// Check finds what is wrong with e before an engine is asked: a bad id, a
// path that is missing or not absolute, a file name with a separator. Errors
// are *core.Error and name the executor. Paths are those of this machine, so
// a launcher for another machine checks there.
func (e *Executor) Check() error {
	if !ValidID(e.ID) {
		return core.Errorf(core.Internal, "executor id %q is not a container name", e.ID)
	}
	if e.CPU < 0 || e.Memory < 0 || e.PIDs < 0 {
		return core.Errorf(core.Invalid, "a limit is negative").At("executor " + e.ID)
	}
	if e.Bootstrap != filepath.Base(e.Bootstrap) && e.Bootstrap != "" {
		return core.Errorf(core.Internal, "bootstrap %q is not a file name", e.Bootstrap).At("executor " + e.ID)
	}
	if err := e.checkPath("shared directory", e.Shared); err != nil {
		return err
	}
	if e.Shm != "" {
		if err := e.checkPath("directory in shared memory", e.Shm); err != nil {
			return err
		}
	}
	for name, path := range e.Files {
		if name != filepath.Base(name) || name == "." || name == ".." || name == "/" {
			return core.Errorf(core.Invalid, "file name %q has a separator", name).At("executor " + e.ID)
		}
		if err := e.checkPath("file", path); err != nil {
			return err
		}
	}
	for _, v := range e.Volumes {
		if err := e.checkPath("volume", v.Dir); err != nil {
			return err
		}
		if !filepath.IsAbs(v.Path) || filepath.Clean(v.Path) != v.Path {
			return core.Errorf(core.Invalid, "volume path %q is not a clean absolute path", v.Path).At("executor " + e.ID)
		}
	}
	for _, path := range e.ReadOnly {
		if err := e.checkPath("read-only path", path); err != nil {
			return err
		}
	}
	return nil
}

// CheckOn is Check for a launcher whose one node is node.
func (e *Executor) CheckOn(node core.NodeID) error {
	if err := e.Check(); err != nil {
		return err
	}
	if e.Node != "" && e.Node != node {
		return core.Errorf(core.Unplaceable, "there is no node %s here", e.Node).
			At(e.Where(node)).Do("place it on " + string(node))
	}
	return nil
}

// Where names e and the node it was to run on, for errors.
func (e *Executor) Where(node core.NodeID) string {
	return fmt.Sprintf("executor %s on node %s", e.ID, node)
}

func (e *Executor) checkPath(what, path string) error {
	where := "executor " + e.ID
	if !filepath.IsAbs(path) || filepath.Clean(path) != path {
		return core.Errorf(core.Invalid, "%s %q is not a clean absolute path", what, path).At(where)
	}
	if _, err := os.Stat(path); err != nil {
		return (&core.Error{Kind: core.NotFound, What: fmt.Sprintf("%s is missing on this machine", what), Err: err}).
			At(where).Do("check that the path exists on the machine that runs the executors")
	}
	return nil
}
