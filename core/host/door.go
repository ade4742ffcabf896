package host

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/unixsock"
)

// prepareDoor opens the attempt's way into the store, for the coordinator too.
func (a *attempt) prepareDoor() (core.Report, error) {
	door, err := a.openDoor()
	if err != nil {
		return core.Report{}, err
	}
	if err := os.MkdirAll(a.dir(""), 0o700); err != nil {
		return core.Report{}, err
	}
	l, err := a.listen(storeSock)
	if err != nil {
		return core.Report{}, err
	}
	a.h.mu.Lock()
	over := a.over()
	if !over {
		a.doorSock = l
	}
	a.h.mu.Unlock()
	if over {
		l.Close()
		return core.Report{}, context.Cause(a.ctx)
	}
	door.Serve(l)
	return core.Report{}, nil
}

// openDoor opens the door once; gangs and coordinator share it. None is opened
// once the attempt is over, for nobody would fence it (law H4).
func (a *attempt) openDoor() (Door, error) {
	a.opening.Lock()
	defer a.opening.Unlock()
	a.h.mu.Lock()
	door, over := a.door, a.over()
	a.h.mu.Unlock()
	switch {
	case over:
		return nil, context.Cause(a.ctx)
	case door != nil:
		return door, nil
	}
	door, err := a.h.cfg.Store.Door(a.ctx, a.prefix(), a.grants())
	if err != nil {
		return nil, err
	}
	a.h.mu.Lock()
	over = a.over()
	if !over {
		a.door = door
	}
	a.h.mu.Unlock()
	if over {
		door.Fence()
		door.Close()
		return nil, context.Cause(a.ctx)
	}
	return door, nil
}

// listen opens a socket of the coordinator's; a former life of the host's may
// have left one.
func (a *attempt) listen(name string) (net.Listener, error) {
	path := a.dir(name)
	os.Remove(path)
	return unixsock.Listen(path)
}

// grants are what the plan's gangs may use of the store.
func (a *attempt) grants() []core.StoreGrant {
	var grants []core.StoreGrant
	for _, g := range a.job.rec.Plan.Gangs {
		grants = append(grants, g.Store...)
	}
	return grants
}

func (a *attempt) prefix() string {
	return fmt.Sprintf("capstan/jobs/%s/%d/", a.job.rec.Job.ID, a.epoch)
}

func (a *attempt) dir(name string) string {
	return filepath.Join(a.h.cfg.StateDir, "jobs", string(a.job.rec.Job.ID), fmt.Sprint(a.epoch), name)
}

// coordinatorAccess is how a coordinator uses a door that serves a socket.
func (a *attempt) coordinatorAccess(door Door, sock string) core.StoreAccess {
	acc := door.Access()
	acc.Endpoint = "unix://" + a.dir(sock)
	acc.Prefix = a.prefix()
	acc.Root = a.h.cfg.Store.Admin().Root
	return acc
}
