package door

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi/pmi"
)

// Keeper keeps an executor's door.
type Keeper struct {
	Member, Size int

	environ []string // of what it runs
	dir     string   // of its sockets
	own     tls.Certificate
	mine    card
	path    string // of its own door, which is the agents' too

	mu    sync.Mutex
	cards []card // of all, once they are known

	listeners []net.Listener
	running   sync.WaitGroup
}

// Site is where a keeper is.
type Site struct {
	Node    string   // equal on one machine
	Dir     string   // a folder that all keepers of the world on that machine share, and nobody else
	Environ []string // of the commands that it runs
}

// Open opens the door of a rank's executor, and returns when all doors of the
// world are open. Commands run until ctx ends.
func Open(ctx context.Context, rank *pmi.Client, s Site) (*Keeper, error) {
	k := &Keeper{Member: rank.Rank, Size: rank.Size, environ: s.Environ, dir: s.Dir}
	if err := k.listen(s); err != nil {
		k.Close()
		return nil, &core.Error{Kind: core.Failed, What: fmt.Sprintf("open the door of executor %d", k.Member), Where: s.Dir, Err: err,
			Remedy: "look at that folder, and at the limit of open files"}
	}
	for _, l := range k.listeners {
		k.running.Go(func() { k.serve(ctx, l) })
	}
	if err := k.meet(ctx, rank); err != nil {
		k.Close()
		return nil, err
	}
	return k, nil
}

// listen makes the door on this machine, and one on the network if there is any.
func (k *Keeper) listen(s Site) error {
	var err error
	if k.own, err = identity(); err != nil {
		return err
	}
	k.path = filepath.Join(s.Dir, "door-"+strconv.Itoa(k.Member))
	short, err := os.MkdirTemp("", "door") // the path of a socket has 107 bytes
	if err == nil && len(k.path) > 100 {
		k.path = filepath.Join(short, "s")
	}
	local, err := net.Listen("unix", k.path)
	if err != nil {
		return err
	}
	k.listeners = append(k.listeners, local)
	k.mine = card{Node: s.Node, Net: namespace(), Path: k.path, Print: fingerprint(k.own.Certificate[0])}
	if len(addresses()) == 0 || k.Size == 1 {
		return nil
	}
	wide, err := net.Listen("tcp", ":0")
	if err != nil {
		return err
	}
	k.mine.Ports = ports(wide)
	k.listeners = append(k.listeners, tls.NewListener(wide, secured(k.own, k.prints)))
	return nil
}

// meet learns of the other keepers.
func (k *Keeper) meet(ctx context.Context, rank *pmi.Client) error {
	if err := rank.Put(ctx, "door-"+strconv.Itoa(k.Member), k.mine.String()); err != nil {
		return err
	}
	if err := rank.Barrier(ctx); err != nil {
		return err
	}
	var all []card
	for n := range k.Size {
		v, has, err := rank.Get(ctx, "door-"+strconv.Itoa(n))
		if err == nil && !has {
			err = fmt.Errorf("executor %d has put no card", n)
		}
		if err != nil {
			return err
		}
		c, err := readCard(v)
		if err != nil {
			return fmt.Errorf("executor %d: %w", n, err)
		}
		all = append(all, c)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cards = all
	return nil
}

func (k *Keeper) prints() (list [][]byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.cards {
		list = append(list, c.Print)
	}
	return list
}

// Path is the socket at which agents of this executor ask.
func (k *Keeper) Path() string { return k.path }

// Loopback reports whether all executors reach each other by it.
func (k *Keeper) Loopback() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !slices.ContainsFunc(k.cards, func(c card) bool { return c.Node != k.mine.Node || c.Net != k.mine.Net })
}

// Networked is an error if what the foreign launcher starts could not dial it.
func (k *Keeper) Networked() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for n, c := range k.cards {
		if (c.Node != k.mine.Node || c.Net != k.mine.Net) && len(c.Ports) == 0 {
			return noNetwork(n)
		}
	}
	return nil
}

func noNetwork(member int) error {
	return core.Errorf(core.Invalid, "executor %d has no network, over which its ranks would reach the others", member).At("gang.network").
		Do("say gang: {network: true}, or run all ranks in one executor with spec.ppn")
}

// namespace names this process's network.
func namespace() string {
	name, _ := os.Readlink("/proc/self/ns/net")
	return name
}

// Close shuts the door; commands that run are ended by who asked for them, or by
// Open's ctx.
func (k *Keeper) Close() {
	for _, l := range k.listeners {
		l.Close()
	}
	k.running.Wait()
	os.Remove(k.path)
}

func (k *Keeper) serve(ctx context.Context, l net.Listener) {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // of one who dialled, and not of the door
		}
		k.running.Go(func() {
			defer conn.Close()
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			defer stop()
			_ = k.attend(ctx, conn) // who asked is told; what else is there to do
		})
	}
}

// greeting is how long who dials may take to say what they want.
const greeting = 30 * time.Second

// attend carries out one request, or hands it on to the executor it is for.
func (k *Keeper) attend(ctx context.Context, conn net.Conn) error {
	_ = conn.SetReadDeadline(time.Now().Add(greeting))
	kind, body, err := read(conn)
	if err != nil || kind != request {
		return err
	}
	_ = conn.SetReadDeadline(time.Time{})
	var c Command
	if err := decode(body, &c); err != nil {
		return err
	}
	refuse := func(err error) error { return (&writer{w: conn}).value(exit, ending{Code: 255, Fault: err.Error()}) }
	switch {
	case len(c.Argv) == 0 || c.Member < 0 || c.Member >= k.Size:
		return refuse(fmt.Errorf("no command, or no executor %d of %d", c.Member, k.Size))
	case c.Member == k.Member:
		return execute(ctx, conn, &c, k.environ)
	}
	far, err := k.dial(ctx, c.Member)
	if err != nil {
		return refuse(err)
	}
	defer far.Close()
	return relay(conn, far, body)
}

// relay joins two connections after a request. When either ends, so do both.
func relay(near, far net.Conn, body []byte) error {
	if err := (&writer{w: far}).frame(request, body); err != nil {
		return err
	}
	back := make(chan error, 1)
	go func() {
		_, err := io.Copy(near, far)
		near.Close()
		back <- err
	}()
	_, _ = io.Copy(far, near)
	far.Close()
	return <-back
}

// dial reaches the door of another executor.
func (k *Keeper) dial(ctx context.Context, member int) (net.Conn, error) {
	k.mu.Lock()
	if member >= len(k.cards) {
		k.mu.Unlock()
		return nil, errors.New("the executors have not met yet")
	}
	c := k.cards[member]
	k.mu.Unlock()
	if c.Node == k.mine.Node {
		return new(net.Dialer).DialContext(ctx, "unix", c.Path)
	}
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: secured(k.own, func() [][]byte { return [][]byte{c.Print} })}
	err := noNetwork(member)
	for _, port := range c.Ports {
		conn, fault := d.DialContext(ctx, "tcp", port)
		if fault == nil {
			return conn, nil
		}
		err = fmt.Errorf("reach executor %d: %w", member, fault)
	}
	return nil, err
}
