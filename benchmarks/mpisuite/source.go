package mpisuite

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// source builds MPICH's test programs, once.
type source struct {
	cache string
	log   io.Writer
}

// programs is the directory of the built suite.
func (s *source) programs(ctx context.Context) (string, error) {
	if _, err := exec.LookPath("mpicc.mpich"); err != nil {
		return "", core.Errorf(core.Invalid, "no mpicc.mpich on this machine").Do("install mpich, libmpich-dev, g++ and gfortran")
	}
	if err := os.MkdirAll(s.cache, 0o755); err != nil {
		return "", err
	}
	tree, err := s.tree(ctx)
	if err != nil {
		return "", err
	}
	suite := filepath.Join(s.cache, "suite")
	if err := s.configure(ctx, tree, suite); err != nil {
		return "", err
	}
	return suite, s.make(ctx, suite)
}

// tree gets the source, with apt lists of its own, and unpacks it.
func (s *source) tree(ctx context.Context) (string, error) {
	if found, _ := filepath.Glob(filepath.Join(s.cache, "mpich-*", "test", "mpi", "configure")); len(found) > 0 {
		return filepath.Dir(found[0]), nil
	}
	const script = `set -e
mkdir -p apt/lists/partial apt/cache/archives/partial
. /etc/os-release
echo "deb-src http://deb.debian.org/debian $VERSION_CODENAME main" > apt/sources.list
own="-o Dir::Etc::SourceList=$PWD/apt/sources.list -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists=$PWD/apt/lists -o Dir::Cache=$PWD/apt/cache -o APT::Sandbox::User=root"
apt-get -q $own update
apt-get -q $own source --download-only mpich
tar xf mpich_*.orig.tar.*`
	if err := s.run(ctx, s.cache, "sh", "-c", script); err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(s.cache, "mpich-*", "test", "mpi", "configure"))
	if err == nil && len(found) == 0 {
		err = core.Errorf(core.Failed, "the source of mpich has no test/mpi/configure").At(s.cache)
	}
	if err != nil {
		return "", err
	}
	return filepath.Dir(found[0]), nil
}

func (s *source) configure(ctx context.Context, tree, suite string) error {
	if _, err := os.Stat(filepath.Join(suite, "config.status")); err == nil {
		return nil
	}
	if err := os.MkdirAll(suite, 0o755); err != nil {
		return err
	}
	return s.run(ctx, suite, filepath.Join(tree, "configure"), "MPICC=mpicc.mpich", "MPICXX=mpicxx.mpich", "MPIF77=mpif77.mpich",
		"MPIFC=mpif90.mpich", "MPIEXEC=mpiexec.hydra", "CC=gcc", "CXX=g++", "F77=gfortran", "FC=gfortran", "FFLAGS=-fallow-argument-mismatch")
}

// make builds all that can be built; a program that cannot is told when its turn
// comes.
func (s *source) make(ctx context.Context, suite string) error {
	built := filepath.Join(suite, "built")
	if _, err := os.Stat(built); err == nil {
		return nil
	}
	dirs, err := os.ReadDir(suite)
	if err != nil {
		return err
	}
	order := []string{"dtpools", "util"} // which the others are linked with
	for _, d := range dirs {
		if _, err := fs.Stat(os.DirFS(suite), d.Name()+"/Makefile"); err == nil && !strings.Contains("dtpools util", d.Name()) {
			order = append(order, d.Name())
		}
	}
	for _, d := range order {
		_ = s.run(ctx, filepath.Join(suite, d), "make", "-k", "-j2", "CFLAGS=-O0 -w")
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return os.WriteFile(built, nil, 0o644)
}

// run runs a step; its output lies beside what it makes.
func (s *source) run(ctx context.Context, dir string, argv ...string) error {
	fmt.Fprintf(s.log, "%s: %.60s\n", dir, strings.Join(argv, " "))
	log, err := os.Create(filepath.Join(dir, "capstan.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	if err := cmd.Run(); err != nil {
		return core.Errorf(core.Failed, "%s: %v", argv[0], err).At(log.Name()).Do("read that file; remove " + dir + " to begin anew")
	}
	return nil
}

// cases are those of directories, of which one may be mpi4py's.
func (s *source) cases(ctx context.Context, suite, tree string, dirs []string) ([]Case, error) {
	own := slices.DeleteFunc(slices.Clone(dirs), func(d string) bool { return d == mpi4py })
	list, err := cases(suite, tree, own)
	if err != nil || len(own) == len(dirs) {
		return list, err
	}
	more, err := s.mpi4py(ctx, suite)
	return append(list, more...), err
}

// cases are those of the lists of dirs and of what lies below them.
func cases(suite, tree string, dirs []string) ([]Case, error) {
	var all []Case
	for _, dir := range dirs {
		f, err := openList(suite, tree, dir)
		if err != nil {
			return nil, err
		}
		list, below, err := readList(f, dir, func(name string) bool {
			info, err := os.Stat(filepath.Join(suite, dir, name))
			return err == nil && info.IsDir()
		})
		f.Close()
		if err != nil {
			return nil, err
		}
		for i, b := range below {
			below[i] = filepath.Join(dir, b)
		}
		more, err := cases(suite, tree, below)
		if err != nil {
			return nil, err
		}
		all = append(append(all, list...), more...)
	}
	return all, nil
}

// openList finds a directory's testlist: configure has made some of them.
func openList(suite, tree, dir string) (*os.File, error) {
	f, err := os.Open(filepath.Join(suite, dir, "testlist"))
	if err != nil {
		f, err = os.Open(filepath.Join(tree, dir, "testlist"))
	}
	if err != nil {
		return nil, core.Errorf(core.NotFound, "no testlist of %q", dir).Do("name a directory of MPICH's test/mpi, as pt2pt or coll")
	}
	return f, nil
}
