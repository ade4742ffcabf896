package process

import (
	"errors"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
	"unsafe"

	"github.com/capstan-run/capstan/core/launch"
)

// watch holds a process by a pidfd and waits for its end, child or not,
// without a thread of its own.
type watch struct {
	file *os.File
	raw  syscall.RawConn
	once sync.Once
}

// newWatch takes hold of pid, which must not have been reaped.
func newWatch(pid int) (*watch, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "pidfd")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &watch{file: file, raw: raw}, nil
}

// wait returns nil once the process has ended, and an error if the watch was
// cancelled first.
func (w *watch) wait() error {
	var failed error
	err := w.raw.Read(func(fd uintptr) bool {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(p, 0)
		if err != nil && !errors.Is(err, unix.EINTR) {
			failed = err
			return true
		}
		return n > 0
	})
	return errors.Join(err, failed)
}

// signal sends sig to the process held, and to no other.
func (w *watch) signal(sig unix.Signal) error {
	var failed error
	err := w.raw.Control(func(fd uintptr) {
		failed = unix.PidfdSendSignal(int(fd), sig, nil, 0)
	})
	return errors.Join(err, failed)
}

// status asks the kernel how a process that was not our child ended, which it
// can tell since Linux 6.15. -1 if it cannot.
func (w *watch) status() int {
	code := -1
	w.raw.Control(func(fd uintptr) {
		info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, unix.PIDFD_GET_INFO, uintptr(unsafe.Pointer(&info)))
		if errno == 0 && info.Mask&unix.PIDFD_INFO_EXIT != 0 {
			code = exitCode(unix.WaitStatus(info.Exit_code))
		}
	})
	return code
}

func (w *watch) cancel() { w.once.Do(func() { w.file.Close() }) }

// reap collects an ended child of ours and returns its exit code; -1 when it
// is not our child.
func reap(pid int) int {
	for {
		var s unix.WaitStatus
		got, err := unix.Wait4(pid, &s, unix.WNOHANG, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil || got != pid:
			return -1
		default:
			return exitCode(s)
		}
	}
}

func exitCode(s unix.WaitStatus) int {
	if s.Signaled() {
		return 128 + int(s.Signal())
	}
	return s.ExitStatus()
}

// follow waits for the end of an executor and reports it. It gives up when the
// launcher closes or the executor is stopped.
func (l *Launcher) follow(r record, w *watch) {
	if w.wait() != nil {
		return
	}
	// The corpse is collected last: until then its pid is nobody else's.
	if err := l.killRest(r); err != nil {
		l.log.Warn("an executor ended but not its session", "executor", r.ID, "error", err)
	}
	code := reap(r.Process.PID)
	if code < 0 {
		code = w.status()
	}
	l.ended(r, w, launch.Exit{ID: r.ID, Code: code, Reason: launch.Reason(code)})
}

// ended writes the end down and delivers it, unless the executor was stopped.
func (l *Launcher) ended(r record, w *watch, x launch.Exit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.watched[r.ID] != w {
		return
	}
	delete(l.watched, r.ID)
	w.cancel()
	r.Exit = &x
	if err := l.write(r); err != nil {
		l.log.Warn("an executor's end is not recorded", "executor", r.ID, "error", err)
	}
	l.ledger.End(x)
}
