package spec

import "strconv"

// What starts the ranks of a world.
const (
	MPICH   = "mpich" // Capstan itself
	OpenMPI = "openmpi"
	Chapel  = "chapel"
)

// Foreign reports whether a launcher of others starts the ranks. Of the gang's
// executors each has one keeper then, which is all that Capstan starts.
func (b *Body) Foreign() bool { return b.Launcher == OpenMPI || b.Launcher == Chapel }

// Keepers are the world that Capstan starts where a foreign launcher starts l: a
// keeper in each executor.
func (l Layout) Keepers() Layout { return Layout{Ranks: l.Executors, PPN: 1, Executors: l.Executors} }

// Keeper is the command of the keepers of l: Capstan's own mpi-keep.
func (b *Body) Keeper(l Layout) []string {
	argv := []string{"capstan", "mpi-keep", "-launcher", b.Launcher, "-ranks", strconv.Itoa(l.Ranks), "-slots", strconv.Itoa(l.PPN), "--"}
	parts := b.Parts()
	for i, p := range parts {
		n := p.Ranks
		if len(parts) == 1 {
			n = l.Ranks
		}
		if i > 0 {
			argv = append(argv, ":")
		}
		if b.Launcher == OpenMPI {
			argv = append(argv, "-np", strconv.Itoa(n))
		}
		argv = append(argv, p.Command...)
	}
	return argv
}
