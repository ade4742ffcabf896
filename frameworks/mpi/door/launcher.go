package door

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// The launchers that a keeper knows.
const (
	OpenMPI = "openmpi"
	Chapel  = "chapel"
)

// plan is what a launcher is told of a gang.
type plan struct {
	self      string // this program
	executors int
	ranks     int      // of all programs
	slots     int      // ranks of an executor
	loopback  bool     // all executors reach each other by it
	address   net.IP   // of executor 0, for the others
	root      bool     // it runs as root
	command   []string // program and arguments; Open MPI takes more programs after ":"
	hosts     string   // path of the file that hostFile fills
}

// openMPI is the command line and the environment of Open MPI's mpirun.
func (p *plan) openMPI() (argv, env []string) {
	argv = []string{"mpirun.openmpi", "--bind-to", "none"}
	if p.executors > 1 {
		argv = append(argv, "--hostfile", p.hosts, "--leave-session-attached",
			"--mca", "plm", "rsh", "--mca", "plm_rsh_agent", p.self+" mpi-agent", "--mca", "plm_rsh_no_tree_spawn", "1")
	} else {
		argv = append(argv, "--oversubscribe")
	}
	if p.root { // in a container, or as the host does
		env = []string{"OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"}
	}
	return append(argv, p.command...), env
}

// hostFile is the allocation as mpirun reads it.
func (p *plan) hostFile() string {
	var b strings.Builder
	for n := range p.executors {
		fmt.Fprintf(&b, "%s%d slots=%d\n", hostPrefix, n, p.slots)
	}
	return b.String()
}

// chapel is the command line and the environment of a Chapel program's launcher.
func (p *plan) chapel() (argv, env []string) {
	argv = slices.Clone(p.command)
	if !slices.ContainsFunc(argv, func(a string) bool { return a == "-nl" || strings.HasPrefix(a, "--numLocales") }) {
		argv = append(argv, "-nl", strconv.Itoa(p.ranks))
	}
	master, network := p.address, net.IP(nil)
	if p.loopback || master == nil {
		master = net.IPv4(127, 0, 0, 1)
	}
	network = master.Mask(master.DefaultMask())
	return argv, []string{"GASNET_SPAWNFN=C", "GASNET_CSPAWN_CMD=" + p.self + " mpi-spawn -n %N %C",
		"CHPL_RT_MASTERIP=" + master.String(), "CHPL_RT_WORKERIP=" + network.String(),
		"GASNET_MASTERIP=" + master.String(), "GASNET_WORKERIP=" + network.String()}
}
