package mpi

import (
	"context"
	"fmt"
	"hash/fnv"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi/contract"
	"github.com/capstan-run/capstan/frameworks/mpi/pmi"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// site is where a rank is: what it puts on its card, and its end of the mesh.
type site struct {
	card     card
	config   mesh.Config
	together bool   // all ranks are on this node
	made     string // a directory that is ours to remove
	state    string // the file of the page in which this rank says what it waits for
}

// settle finds a directory to share with the ranks of this node, and listens
// for those of others.
func settle(client *pmi.Client) (*site, error) {
	e, hosted := contract.FromEnviron()
	s := &site{config: mesh.Config{ID: client.Space, Rank: client.Rank, Size: client.Size, Lazy: true}}
	host := ""
	var err error
	if hosted {
		host, err = e.Address, s.told(e)
	} else {
		host, err = reachable(), s.found(client)
	}
	if err == nil && !s.together {
		err = s.listen(host)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// told settles as Capstan says.
func (s *site) told(e *contract.Env) (err error) {
	s.config.ID, s.state = e.World, e.State
	s.config.TLS, err = secure(e.Cert, e.Key, e.CA)
	s.config.Dir, s.config.Arena = e.Dir, int(e.Arena)
	s.card.Node, s.together = e.Node, e.Locals == s.config.Size
	return err
}

// found settles under another launcher: all that ranks of a machine share then
// is its file system.
func (s *site) found(client *pmi.Client) error {
	parent := os.TempDir()
	h := fnv.New64a()
	h.Write([]byte(client.Space))
	s.made = filepath.Join(parent, fmt.Sprintf("capstan-mpi-%d-%016x", os.Getuid(), h.Sum64()))
	if err := os.MkdirAll(s.made, 0o700); err != nil {
		return &core.Error{Kind: core.Failed, What: "make a directory for the ranks of this machine", Err: err,
			Remedy: "let " + parent + " be writable"}
	}
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	s.config.Dir = s.made
	s.card.Node = name + "/" + strings.TrimSpace(string(boot))
	mapping, _, err := client.Get(context.Background(), "PMI_process_mapping")
	s.together = err == nil && oneNode(mapping)
	return err
}

// oneNode reports whether a launcher's PMI_process_mapping puts all ranks on one
// node: it is one block of one node, whose length Hydra says in cores, and which
// repeats for ranks beyond it.
func oneNode(mapping string) bool {
	block, ok := strings.CutPrefix(mapping, "(vector,(0,1,")
	length, closed := strings.CutSuffix(block, "))")
	_, err := strconv.ParseUint(length, 10, 32)
	return ok && closed && err == nil
}

// listen opens the door for ranks of other nodes.
func (s *site) listen(host string) error {
	if host == "" {
		return nil
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return &core.Error{Kind: core.Failed, What: "listen for ranks of other nodes", Err: err}
	}
	s.config.Listener, s.card.Address = l, l.Addr().String()
	return nil
}

// reachable is an address of this machine that others may reach, "" if it has
// none.
func reachable() string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	return ""
}

// close gives up what the mesh has not taken.
func (s *site) close() {
	if s.config.Listener != nil {
		s.config.Listener.Close()
	}
}

// clean removes the directory, if this rank may: every rank tries, and the last
// succeeds. After a failure nobody needs what ranks have left there.
func (s *site) clean(failure error) {
	switch {
	case s.made == "":
	case failure != nil:
		_ = os.RemoveAll(s.made)
	default:
		_ = os.Remove(s.made)
	}
}
