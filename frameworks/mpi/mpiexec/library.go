package mpiexec

import (
	"debug/elf"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/frameworks/mpi/spec"
)

// openMPI is the library by which a program of Open MPI 1.5 to 5 is known.
const openMPI = "libmpi.so.40"

// library is the launcher that a program's binary asks for; "" for one that says
// nothing, such as a script: -mpi says it then.
func library(dir, program string) string {
	path := program
	switch {
	case !strings.Contains(program, "/"):
		found, err := exec.LookPath(program)
		if err != nil {
			return ""
		}
		path = found
	case !filepath.IsAbs(program):
		path = filepath.Join(dir, program)
	}
	f, err := elf.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	needed, err := f.ImportedLibraries()
	if err == nil && slices.Contains(needed, openMPI) {
		return spec.OpenMPI
	}
	return ""
}
