package work

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor/command"
	"github.com/capstan-run/capstan/frameworks/artifact"
	"github.com/capstan-run/capstan/frameworks/mpi/contract"
	"github.com/capstan-run/capstan/frameworks/mpi/task"
)

const (
	usualPath  = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	leastArena = 8 << 20
	mostArena  = 1 << 30
	// self is how a command names Capstan, for its mpi-rank: this binary, whatever
	// the executor has.
	self = "capstan"
)

// prepare makes the rank's folders and its command.
func (k *rank) prepare() (*exec.Cmd, error) {
	scratch := filepath.Join(k.env.Scratch, fmt.Sprintf("r%d", k.begin.Run), strconv.Itoa(k.number))
	mesh := filepath.Join(k.env.Shared, fmt.Sprintf("m%d", k.begin.Run))
	for _, dir := range []string{scratch, mesh} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, diskError(err)
		}
	}
	state := filepath.Join(scratch, "state")
	if err := k.open(state); err != nil {
		return nil, diskError(err)
	}
	p := k.program()
	dir, err := k.workdir(p)
	if err != nil {
		return nil, err
	}
	argv := slices.Clone(p.Command)
	for i := range argv {
		argv[i] = artifact.In(k.env.Files, argv[i]) // a keeper's or mpi-rank's programs are among its arguments
	}
	if argv[0] == self {
		argv[0] = "/proc/self/exe"
	}
	return command.New(argv, dir, k.environ(p, dir, scratch, mesh, state))
}

func diskError(err error) error {
	return core.Errorf(core.Failed, "make the rank's folder: %v", err).Do("look at the disk that holds Capstan's state")
}

// program is the part of the world that the rank belongs to.
func (k *rank) program() *task.Program {
	n := k.number
	for i := range k.begin.Programs {
		p := &k.begin.Programs[i]
		if n -= p.Ranks; n < 0 {
			return p
		}
	}
	panic("a rank beyond its world") // the layout is made of the programs
}

// workdir is where the rank runs.
func (k *rank) workdir(p *task.Program) (string, error) {
	if p.Workdir != "" {
		return p.Workdir, isThere(p.Workdir)
	}
	dir := k.home()
	if k.body.Cwd != "" {
		return dir, isThere(dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", diskError(err)
	}
	for _, f := range k.body.Shipped().Files() {
		err := os.Symlink(filepath.Join(k.env.Files, f.Name), filepath.Join(dir, f.Name))
		if err != nil && !os.IsExist(err) {
			return "", diskError(err)
		}
	}
	return dir, nil
}

// home is where ranks run that name no folder of their own.
func (w *worker) home() string {
	return cmp.Or(w.body.Workdir, w.body.Cwd, filepath.Join(w.env.Shared, "work"))
}

func isThere(dir string) error {
	if fi, err := os.Stat(dir); err != nil || !fi.IsDir() {
		return core.Errorf(core.Invalid, "the working directory %s is not in the executor", dir).
			Do("leave out spec.workdir and ship what ranks read with spec.files, or run it where that folder is")
	}
	return nil
}

// input is what the rank reads: only rank 0 has any.
func (k *rank) input() (*os.File, error) {
	name := artifact.In(k.env.Files, k.body.Stdin)
	if k.number > 0 || k.begin.Spawned {
		name = os.DevNull
	}
	if name == "" && k.body.Console != nil {
		return k.stdin.open()
	}
	f, err := os.Open(cmp.Or(name, os.DevNull))
	if err != nil {
		return nil, core.Errorf(core.Invalid, "open spec.stdin: %v", err).Do("name a file that the executor has, or one beside the document, which is shipped")
	}
	return f, nil
}

// place is the rank's number among those of its node, and how many there are.
func (k *rank) place() (local, locals int) {
	node := k.begin.Nodes[k.env.Rank.Rank]
	for rank := range k.layout.Ranks {
		if k.begin.Nodes[k.layout.Executor(rank)] == node {
			if rank < k.number {
				local++
			}
			locals++
		}
	}
	return local, locals
}

// environ is the whole environment of the rank, sorted by name: the image's, then
// its place, then the job's own.
func (k *rank) environ(p *task.Program, dir, scratch, mesh, state string) []string {
	vars := inherited()
	path := vars["PATH"]
	if path == "" {
		path = usualPath
	}
	vars["PATH"] = k.env.Files + ":" + path
	vars["HOME"], vars["TMPDIR"], vars["PWD"] = scratch, scratch, dir
	if vars["LANG"] == "" {
		vars["LANG"] = "C.UTF-8"
	}
	share := k.env.CPU / core.MilliCPU(len(k.ranks))
	vars["OMP_NUM_THREADS"] = strconv.Itoa(max(1, int(share/1000)))
	for name, v := range p.Env {
		vars[name] = v
	}
	local, locals := k.place()
	for name, n := range map[string]int{
		"PMI_RANK": k.number, "PMI_SIZE": k.layout.Ranks, "PMI_FD": 3, "MPI_LOCALRANKID": local, "MPI_LOCALNRANKS": locals,
	} {
		vars[name] = strconv.Itoa(n)
	}
	if k.begin.Spawned {
		vars["PMI_SPAWNED"] = "1"
	}
	c := k.contract(local, locals)
	c.Scratch, c.Dir, c.State = scratch, mesh, state
	vars[contract.Name] = c.String()
	list := make([]string, 0, len(vars))
	for name, v := range vars {
		list = append(list, name+"="+v)
	}
	slices.Sort(list)
	return list
}

func (k *rank) contract(local, locals int) *contract.Env {
	id, n := k.env.Rank, core.Bytes(len(k.ranks))
	c := &contract.Env{
		V: contract.Version, Job: string(id.Job), Attempt: int64(id.Epoch), Gang: id.Gang, World: k.begin.World,
		Rank: k.number, Size: k.layout.Ranks, Local: local, Locals: locals, Node: k.node,
		Shm: k.env.Shm, Address: k.address(), CPU: k.env.CPU / core.MilliCPU(n), Memory: k.env.Memory / n, Store: k.env.Store,
	}
	c.Arena = min(max(c.Memory/8, leastArena), mostArena)
	return c
}

// inherited is what the image gives its programs, without what Capstan gives
// its executor.
func inherited() map[string]string {
	vars := map[string]string{}
	for _, v := range os.Environ() {
		name, value, _ := strings.Cut(v, "=")
		own := strings.HasPrefix(name, "CAPSTAN_") && name != "CAPSTAN_EXECUTOR" // by which strays are found
		if !own && name != "GOMEMLIMIT" && name != "GOMAXPROCS" {
			vars[name] = value
		}
	}
	return vars
}

// prefix tags the rank's lines, where more than one write to the executor's log
// or the job asks for it.
func (k *rank) prefix() string {
	if k.body.Label || k.begin.PPN > 1 {
		return fmt.Sprintf("[%d] ", k.number)
	}
	return ""
}
