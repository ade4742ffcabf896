package mpi

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/capstan-run/capstan/benchmarks/mpi/rank"
	"github.com/capstan-run/capstan/frameworks/mpi/contract"
)

// tcp is two ranks that share nothing but a network.
func tcp(ctx context.Context, l *lab, r *report) error {
	net, err := l.openNetwork(ctx)
	if err != nil {
		return err
	}
	defer net.close()
	d, err := net.duel(ctx, l)
	if err != nil {
		return err
	}
	err = func() error {
		for _, n := range []int{8, 8 << 10} {
			b := rank.Batch{Kind: rank.Pings, Bytes: n, Warm: 200, Rounds: 300}
			ours, theirs, err := d.play(ctx, b, b)
			if err != nil {
				return err
			}
			r.times(size(n)+", one way", half(ours), half(theirs), 1.2)
		}
		for _, n := range []int{1 << 20, 16 << 20} {
			b := rank.Batch{Kind: rank.Pings, Bytes: n, Warm: 3, Rounds: max(3, 32<<20/n)}
			ours, theirs, err := d.play(ctx, b, b)
			if err != nil {
				return err
			}
			r.rates(size(n)+", copied", n, half(ours), half(theirs), 1)
		}
		return nil
	}()
	return errors.Join(err, d.close())
}

// network is a name of a namespace and an address for each of two ranks.
type network struct {
	spaces    [2]string // "" where there are none: the loopback it is
	addresses [2]string
	device    [2]string
}

// openNetwork joins two namespaces by a pair of devices.
func (l *lab) openNetwork(ctx context.Context) (*network, error) {
	n := &network{addresses: [2]string{"127.0.0.1", "127.0.0.1"}, device: [2]string{"lo", "lo"}}
	if _, err := exec.LookPath("ip"); err != nil || os.Geteuid() != 0 {
		l.log("over the loopback: namespaces need root and the program ip")
		return n, nil
	}
	tag := fmt.Sprintf("cb%d", os.Getpid())
	for i, side := range []string{"a", "b"} {
		n.spaces[i], n.device[i], n.addresses[i] = tag+side, "veth"+side, fmt.Sprintf("10.213.77.%d", i+1)
	}
	do := func(args ...string) error {
		out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
		return nil
	}
	steps := [][]string{
		{"netns", "add", n.spaces[0]}, {"netns", "add", n.spaces[1]},
		{"link", "add", n.device[0], "netns", n.spaces[0], "type", "veth", "peer", "name", n.device[1], "netns", n.spaces[1]},
	}
	for i := range 2 {
		steps = append(steps, []string{"-n", n.spaces[i], "addr", "add", n.addresses[i] + "/24", "dev", n.device[i]},
			[]string{"-n", n.spaces[i], "link", "set", n.device[i], "up"}, []string{"-n", n.spaces[i], "link", "set", "lo", "up"})
	}
	for _, s := range steps {
		if err := do(s...); err != nil {
			n.close()
			return nil, err
		}
	}
	if err := n.ready(ctx); err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

// ready waits until the devices carry: the kernel takes up to a second to say so,
// and UCX takes no device that does not.
func (n *network) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for side := 0; side < 2; {
		out, err := exec.CommandContext(ctx, "ip", "-n", n.spaces[side], "-o", "link", "show", "dev", n.device[side]).CombinedOutput()
		if err != nil {
			return fmt.Errorf("device %s: %w: %s", n.device[side], err, out)
		}
		if strings.Contains(string(out), "state UP") {
			side++
			continue
		}
		<-look.C
	}
	return nil
}

// close takes the namespaces, and with them their devices, away.
func (n *network) close() {
	for _, s := range n.spaces {
		if s != "" {
			_ = exec.Command("ip", "netns", "del", s).Run()
		}
	}
}

// duel starts a rank of each player on each side.
func (n *network) duel(ctx context.Context, l *lab) (*duel, error) {
	ours, err := l.start(ctx, rank.Native, 2, func(prefix string) []string {
		return n.launch(l, func(side int) []string {
			told := contract.Env{V: contract.Version, World: filepath.Base(prefix), Rank: side, Size: 2, Locals: 1,
				Node: fmt.Sprintf("side%d", side), Address: n.addresses[side]}
			return append([]string{"env", contract.Name + "=" + told.String()}, l.rank(rank.Native, prefix)...)
		})
	})
	if err != nil || l.program == "" {
		return &duel{ours, nil, l.Rounds}, err
	}
	theirs, err := l.start(ctx, mpichPlayer, 2, func(prefix string) []string {
		return n.launch(l, func(side int) []string {
			return []string{"env", "UCX_TLS=tcp,self", "UCX_NET_DEVICES=" + n.device[side], l.program, prefix}
		})
	})
	if err != nil {
		return nil, errors.Join(err, ours.close())
	}
	return &duel{ours, theirs, l.Rounds}, nil
}

// launch is Hydra's command line for one rank on each side.
func (n *network) launch(l *lab, program func(side int) []string) []string {
	argv := []string{l.hydra}
	for side, space := range n.spaces {
		if side > 0 {
			argv = append(argv, ":")
		}
		argv = append(argv, "-n", "1")
		if space != "" {
			argv = append(argv, "ip", "netns", "exec", space)
		}
		argv = append(argv, program(side)...)
	}
	return argv
}
