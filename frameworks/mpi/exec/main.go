package exec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
)

const usage = `Run a program in C, Python or another language as a rank of an MPI job.

  capstan mpi-rank PROGRAM [ARGUMENTS]     under any launcher of ranks:
      capstan mpiexec -n 1 ./in-go : -n 3 capstan mpi-rank python3 in-python.py
      mpiexec.hydra -n 4 capstan mpi-rank ./in-c
  capstan mpi-rank --client c [DIR]        write what a C program is built with: capstan_mpi.h, capstan_mpi.c
  capstan mpi-rank --client python [DIR]   write what a Python program imports, to read it: capstan_mpi.py
                                           (started as a rank the program finds it by itself)

A program in another language speaks the protocol that is in the documentation of
package frameworks/mpi/exec. One built with MPICH needs none of this: name it to
mpiexec itself.
`

// Main is the command mpi-rank. It returns the exit code.
func Main(ctx context.Context, args []string, out, errw io.Writer) int {
	switch {
	case len(args) == 0:
		fmt.Fprint(errw, usage)
		return core.Invalid.ExitCode()
	case args[0] == "-h", args[0] == "--help":
		fmt.Fprint(out, usage)
		return 0
	case args[0] == "--client":
		if err := writeClient(args[1:], out); err != nil {
			return complain(errw, "", err)
		}
		return 0
	case args[0] == "--":
		args = args[1:]
	case strings.HasPrefix(args[0], "-"):
		return complain(errw, "", core.Errorf(core.Invalid, "option %s is not known", args[0]).Do("see capstan mpi-rank --help"))
	}
	return Run(ctx, args)
}

// writeClient writes a client's files into a folder.
func writeClient(args []string, out io.Writer) error {
	var files map[string][]byte
	known := false
	if len(args) > 0 {
		files, known = client(args[0])
	}
	if !known || len(args) > 2 {
		return core.Errorf(core.Invalid, "a client is for one of: %s", strings.Join(clients(), ", ")).Do("see capstan mpi-rank --help")
	}
	dir := "."
	if len(args) == 2 {
		dir = args[1]
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(dir, name)
		if err := writeNew(path, files[name]); err != nil {
			return err
		}
		fmt.Fprintln(out, path)
	}
	return nil
}

// writeNew writes a file, unless another is there.
func writeNew(path string, b []byte) error {
	old, err := os.ReadFile(path)
	if err == nil && string(old) == string(b) {
		return nil
	}
	if err == nil {
		return core.Errorf(core.Conflict, "%s is there, and is another", path).Do("remove it, or name another folder")
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		return core.Errorf(core.Invalid, "write a client: %v", err).Do("name a folder that is there and can be written to")
	}
	return nil
}

// clients are the languages that there are clients for.
func clients() []string { return []string{"c", "python"} }

// client is the files of a language's client, by name; false if there is none.
func client(language string) (map[string][]byte, bool) {
	if !slices.Contains(clients(), language) {
		return nil, false
	}
	entries, err := fs.ReadDir(files, language)
	all := map[string][]byte{}
	for _, e := range entries {
		b, readErr := fs.ReadFile(files, language+"/"+e.Name())
		all[e.Name()], err = b, errors.Join(err, readErr)
	}
	return all, err == nil
}
