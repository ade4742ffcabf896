package simulate

import (
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// Options say how to replay.
type Options struct {
	// Clock times the decisions. Default: nobody looks.
	Clock func() time.Time
	// Kernel is what the scheduler of policy "capstan" is made with.
	Kernel gang.Config
}

// Kernel is the policy of the kernel itself.
const Kernel = "capstan"

// reference returns the policies for comparison, each with no past.
func reference() []struct {
	name, what string
	policy     policy
} {
	return []struct {
		name, what string
		policy     policy
	}{
		{"fcfs", "strict order of arrival", fcfs{}},
		{"easy", "order of arrival; who does not delay the first in line may pass", easy{byArrival, byArrival}},
		{"easy-sjf", "as easy, passing in order of walltime", easy{byArrival, byWalltime}},
		{"easy-fair", "as easy, in order of the users' decayed use", easy{byUsage, byUsage}},
		{"conservative", "nobody delays anybody who came before", conservative{}},
		{"promise", "the prototype of the kernel's policy, on a machine that is only a number of CPUs",
			&promise{depth: 65, heads: 2, slack: 1, budget: 4 * 3600 * 1000}},
	}
}

// Policies is the names of all policies and what they are, in a good order.
func Policies() []struct{ Name, What string } {
	var out []struct{ Name, What string }
	for _, p := range reference() {
		out = append(out, struct{ Name, What string }{p.name, p.what})
	}
	return append(out, struct{ Name, What string }{Kernel, "the scheduler of this program, node by node"})
}

// Run replays a workload under the policy of a name. An unknown name is a
// *core.Error.
func Run(w *Workload, name string, o Options) (*Outcome, error) {
	if name == Kernel {
		return replay(w, o), nil
	}
	for _, p := range reference() {
		if p.name == name {
			out := &Outcome{Policy: name, Machine: w.Machine}
			out.Records = simulateOn(w, p.policy)
			return out, nil
		}
	}
	var known []string
	for _, p := range Policies() {
		known = append(known, p.Name)
	}
	return nil, core.Errorf(core.Invalid, "policy %q is not known", name).Do("one of " + strings.Join(known, ", "))
}
