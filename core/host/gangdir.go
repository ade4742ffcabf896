package host

import (
	"context"
	"net"
	"os"
	"path/filepath"

	"github.com/capstan-run/capstan/core/unixsock"
)

// Names within a gang's shared directory.
const (
	hostSock  = "host.sock"
	storeSock = "store.sock"
)

func (h *Host) newGangDir() string {
	return filepath.Join(h.cfg.StateDir, "gangs", randomName(8))
}

// makeGangDir makes a gang's shared directories, owned by the executors' user.
func (h *Host) makeGangDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fileError("make the gang's directory", dir, err)
	}
	h.makeShmDir(dir)
	return h.own(dir)
}

// removeGangDir removes a gang's directories.
func (h *Host) removeGangDir(dir string) {
	if dir == "" {
		return
	}
	if shm := h.shmPath(dir); shm != "" {
		os.RemoveAll(shm)
	}
	os.RemoveAll(dir)
}

// own hands a path over to the executors' user.
func (h *Host) own(path string) error {
	if h.cfg.ExecutorUID < 0 {
		return nil
	}
	return os.Lchown(path, h.cfg.ExecutorUID, h.cfg.ExecutorGID)
}

// serveControl opens the gang's socket to the host.
func (g *gangRun) serveControl(lease uint64, dir string) error {
	h := g.attempt.h
	l, err := h.listen(filepath.Join(dir, hostSock))
	if err != nil {
		return err
	}
	if err := g.keep(lease, l); err != nil {
		return err
	}
	h.goRun(func(context.Context) { h.server.Serve(l) })
	return nil
}

// serveStore opens the gang's socket to the store.
func (g *gangRun) serveStore(lease uint64, dir string, door Door) error {
	l, err := g.attempt.h.listen(filepath.Join(dir, storeSock))
	if err != nil {
		return err
	}
	if err := g.keep(lease, l); err != nil {
		return err
	}
	door.Serve(l)
	return nil
}

// keep remembers a listener until the lease ends, and closes it if that is so
// already.
func (g *gangRun) keep(lease uint64, l net.Listener) error {
	g.attempt.h.mu.Lock()
	defer g.attempt.h.mu.Unlock()
	if !g.holds(lease) {
		l.Close()
		return errStale
	}
	g.listeners = append(g.listeners, l)
	return nil
}

func (h *Host) listen(path string) (net.Listener, error) {
	os.Remove(path)
	l, err := unixsock.Listen(path)
	if err != nil {
		return nil, fileError("listen", path, err)
	}
	if err := h.own(path); err != nil {
		l.Close()
		return nil, err
	}
	return l, os.Chmod(path, 0o600)
}
