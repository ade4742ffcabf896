package exec

import (
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/capstan-run/capstan/core"
)

const (
	pythonClient = "capstan_mpi.py"
	pythonPath   = "PYTHONPATH="
)

// importable puts the Python client where env's interpreter finds it, after all
// that it would find otherwise: a program that brings its own has its own.
func importable(env []string) ([]string, error) {
	dir, err := clientFolder()
	if err != nil {
		return nil, &core.Error{Kind: core.Failed, What: "keep the Python client", Err: err, Remedy: "set TMPDIR to a folder that can be written to"}
	}
	for i, v := range env {
		if old, ok := strings.CutPrefix(v, pythonPath); ok && old != "" {
			env[i] = v + ":" + dir
			return env, nil
		}
	}
	return append(env, pythonPath+dir), nil
}

// clientFolder has the Python client of this version. It stays for the next rank:
// one folder for each version and user.
func clientFolder() (string, error) {
	text, err := files.ReadFile("python/" + pythonClient)
	if err != nil {
		return "", err
	}
	h := fnv.New64a()
	_, _ = h.Write(text)
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("capstan-mpi-client-%d-%x", os.Getuid(), h.Sum64()))
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
		return "", err
	}
	if err := private(dir); err != nil {
		return "", err
	}
	name := filepath.Join(dir, pythonClient)
	if old, err := os.ReadFile(name); err == nil && string(old) == string(text) {
		return dir, nil
	}
	return dir, replace(name, text)
}

// private refuses a folder that somebody else may write to: what is imported from
// it runs.
func private(dir string) error {
	fi, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !fi.IsDir() || fi.Mode().Perm() != 0o700 || !ok || int(st.Uid) != os.Getuid() {
		return fmt.Errorf("%s is not ours alone", dir)
	}
	return nil
}

// replace writes a file whole: ranks that start together all do.
func replace(name string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
