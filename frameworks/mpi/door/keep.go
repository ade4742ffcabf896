package door

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi/contract"
	"github.com/capstan-run/capstan/frameworks/mpi/pmi"
)

// Keep is a keeper's program: it opens the door of its executor and keeps it until
// the launcher in executor 0 has ended, whose exit code it returns there.
//
//	-launcher openmpi|chapel -ranks N -slots P -- COMMAND…
func Keep(ctx context.Context, args []string, s Surroundings, environ []string) (int, error) {
	var p plan
	flags := flag.NewFlagSet("mpi-keep", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	launcher := flags.String("launcher", "", "")
	flags.IntVar(&p.ranks, "ranks", 1, "")
	flags.IntVar(&p.slots, "slots", 1, "")
	err := flags.Parse(args)
	p.command = flags.Args()
	if err != nil || len(p.command) == 0 || *launcher != OpenMPI && *launcher != Chapel {
		return 2, core.Errorf(core.Invalid, "mpi-keep %s: %v", strings.Join(args, " "), err).Do("set spec.launcher in a document of kind MPI; it calls this")
	}
	here, ok := contract.FromEnviron()
	if !ok {
		return 2, core.Errorf(core.Invalid, "mpi-keep is no rank of kind MPI").Do("set spec.launcher in a document of kind MPI; it calls this")
	}
	rank, err := pmi.Dial(ctx, s.Getenv)
	if err != nil {
		return 1, err
	}
	k, err := Open(ctx, rank, Site{Node: here.Node, Dir: here.Dir, Environ: commandEnviron(environ, here, rank)})
	if err != nil {
		return 1, err
	}
	defer k.Close()
	code := 0
	if k.Member == 0 {
		code, err = k.launch(ctx, *launcher, &p, here, s)
	}
	if err != nil {
		return 1, err
	}
	return code, errors.Join(rank.Barrier(ctx), rank.Finalize(ctx)) // law D3
}

// segments names the folder of Open MPI's shared memory. Ranks get it of the
// executor that they are started on: mpirun would tell its own to all.
const segments = "OMPI_MCA_btl_vader_backing_directory"

// commandEnviron is what commands find: all that this rank has, but what makes it
// one.
func commandEnviron(environ []string, here *contract.Env, rank *pmi.Client) []string {
	list := slices.DeleteFunc(slices.Clone(environ), func(v string) bool {
		return strings.HasPrefix(v, "PMI_") || strings.HasPrefix(v, "MPI_LOCAL") || strings.HasPrefix(v, contract.Name+"=")
	})
	shared := here.Shm
	if shared == "" {
		shared = here.Scratch
	}
	own := filepath.Join(shared, fmt.Sprintf("openmpi-%d", rank.Rank))
	if os.MkdirAll(own, 0o700) == nil {
		list = append(list, segments+"="+own)
	}
	return append(list, fmt.Sprintf("%s=%d", sizeVariable, rank.Size))
}

// launch runs the foreign launcher.
func (k *Keeper) launch(ctx context.Context, launcher string, p *plan, here *contract.Env, s Surroundings) (int, error) {
	if err := k.Networked(); err != nil {
		return 1, err
	}
	self, err := os.Executable()
	if err != nil {
		return 1, err
	}
	p.self, p.executors, p.loopback, p.root = self, k.Size, k.Loopback(), os.Geteuid() == 0
	for _, ip := range addresses() {
		if p.address == nil && ip.To4() != nil {
			p.address = ip
		}
	}
	p.hosts = filepath.Join(here.Scratch, "hosts")
	if err := os.WriteFile(p.hosts, []byte(p.hostFile()), 0o600); err != nil {
		return 1, err
	}
	argv, env := p.openMPI()
	if launcher == Chapel {
		argv, env = p.chapel()
	}
	return k.follow(ctx, argv, append(env, pathVariable+"="+k.path), s)
}

// follow runs a launcher in this process's own group, to be killed with it.
func (k *Keeper) follow(ctx context.Context, argv, env []string, s Surroundings) (int, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	if argv[0] == "mpirun.openmpi" && cmd.Err != nil { // Debian's name; elsewhere there is but one
		cmd = exec.CommandContext(ctx, "mpirun", argv[1:]...)
	}
	own := slices.DeleteFunc(slices.Clone(k.environ), func(v string) bool { return k.Size > 1 && strings.HasPrefix(v, segments+"=") })
	cmd.Env = append(own, env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.In, s.Out, s.Err
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = manners
	err := cmd.Run()
	if cmd.ProcessState == nil {
		return 1, core.Errorf(core.Failed, "start %s: %v", argv[0], err).Do("install Open MPI in the image or on the machines: its mpirun and orted start the ranks")
	}
	return code(cmd.ProcessState), nil
}
