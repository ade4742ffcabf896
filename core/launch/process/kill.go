package process

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// killWithin bounds how long the killed may take to be gone: one that waits
// for a dead disk can be killed by nobody.
const killWithin = 10 * time.Second

// kill ends every process of an executor and returns when none is left (law
// P4). leader may be zero.
func (l *Launcher) kill(ctx context.Context, id string, leader process) error {
	ctx, cancel := context.WithTimeout(ctx, killWithin)
	defer cancel()
	for {
		left, err := l.members(id, leader)
		if err != nil || len(left) == 0 {
			return err
		}
		// Each is held by a descriptor before the look at who it is, so that
		// the signal cannot reach another process with its pid.
		for _, pid := range left {
			l.killOne(ctx, pid, id, leader)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("processes %v of executor %s do not end", left, id)
		}
	}
}

func (l *Launcher) killOne(ctx context.Context, pid int, id string, leader process) {
	w, err := newWatch(pid)
	if err != nil {
		return // gone already
	}
	defer w.cancel()
	if !l.isMember(pid, id, leader) {
		return
	}
	if w.signal(unix.SIGKILL) != nil {
		return
	}
	stop := context.AfterFunc(ctx, w.cancel)
	defer stop()
	w.wait()
	reap(pid)
}

// members lists the living processes of an executor.
func (l *Launcher) members(id string, leader process) ([]int, error) {
	all, err := pids()
	if err != nil {
		return nil, err
	}
	var found []int
	for _, pid := range all {
		if l.isMember(pid, id, leader) {
			found = append(found, pid)
		}
	}
	return found, nil
}

func (l *Launcher) isMember(pid int, id string, leader process) bool {
	s, err := readStat(pid)
	if err != nil || s.state == 'Z' || s.state == 'X' {
		return false
	}
	if carries(pid, l.mark(id)) {
		return true
	}
	return leader.PID != 0 && leader.Boot == l.boot && s.session == leader.PID && l.ledSession(leader)
}

// ledSession reports whether the session numbered as leader can only be its
// own: the leader is there, as a corpse at least, or nobody has its number.
func (l *Launcher) ledSession(leader process) bool {
	s, err := readStat(leader.PID)
	return err != nil || s.start == leader.Start
}
