package submit

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/capstan-run/capstan/core"
)

const module = "github.com/capstan-run/capstan"

// IsStatic reports whether a program runs without the machine's libraries:
// whether it names no interpreter.
func IsStatic(program string) (bool, error) {
	f, err := elf.Open(program)
	if err != nil {
		return false, core.Errorf(core.Failed, "this program cannot read itself: %v", err).At(program)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return false, nil
		}
	}
	return true, nil
}

// findCapstan answers the path of the capstan command: CAPSTAN_BIN, else that
// in PATH, else one built with the go tool from the module that this program
// was built from.
func findCapstan(progress io.Writer) (string, error) {
	if path := os.Getenv("CAPSTAN_BIN"); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", core.Errorf(core.Invalid, "CAPSTAN_BIN names no file: %v", err).Do("set it to the capstan command, or unset it")
		}
		return path, nil
	}
	if path, err := exec.LookPath("capstan"); err == nil {
		return path, nil
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", noCapstan(errors.New("this program does not say what it was built from"))
	}
	from, err := origin(info)
	if err != nil {
		return "", noCapstan(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", noCapstan(err)
	}
	path, err := from.build(filepath.Join(cache, "capstan", "bin"), progress)
	if err != nil {
		return "", noCapstan(err)
	}
	return path, nil
}

func noCapstan(err error) error {
	return &core.Error{Kind: core.Failed, What: "the capstan command was not found and could not be built", Err: err,
		Remedy: "install it (go install " + module + "@latest), or set CAPSTAN_BIN to it"}
}

// source is where capstan can be built from: a version, or a folder.
type source struct{ version, dir string }

// origin is the source of the module within a build.
func origin(info *debug.BuildInfo) (source, error) {
	if info.Main.Path == module {
		return moduleDir()
	}
	for _, m := range info.Deps {
		if m.Path != module {
			continue
		}
		if r := m.Replace; r != nil {
			if r.Version == "" || r.Version == "(devel)" { // a folder, perhaps relative to a go.mod that only the go tool finds
				if filepath.IsAbs(r.Path) {
					return source{dir: r.Path}, nil
				}
				return moduleDir()
			}
			return source{}, fmt.Errorf("it is replaced by %s@%s", r.Path, r.Version)
		}
		return source{version: m.Version}, nil
	}
	return source{}, errors.New("this program was not built from a module that requires it")
}

func moduleDir() (source, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if dir := strings.TrimSpace(string(out)); err == nil && dir != "" {
		return source{dir: dir}, nil
	}
	return source{}, fmt.Errorf("the folder of %s is not known here", module)
}

// build answers the path of the command in dir, built if need be. A folder's is
// always built again: the go tool's cache makes that quick if nothing changed.
func (s source) build(dir string, progress io.Writer) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	name := "capstan-" + s.version
	if s.dir != "" {
		name = "capstan-" + strings.NewReplacer("/", "-").Replace(strings.Trim(s.dir, "/"))
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err == nil && s.dir == "" {
		return path, nil
	}
	tmp, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	cmd := exec.Command("go", "build", "-o", filepath.Join(tmp, "capstan"), ".")
	cmd.Dir = s.dir
	if s.dir == "" {
		fmt.Fprintf(progress, "building capstan %s (once)\n", s.version)
		cmd = exec.Command("go", "install", module+"@"+s.version)
	}
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOBIN="+tmp)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, os.Rename(filepath.Join(tmp, "capstan"), path)
}
