package work

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/capstan-run/capstan/frameworks/mpi/task"
	"github.com/capstan-run/capstan/frameworks/mpi/waits"
)

// userHz is the kernel's unit in /proc/PID/stat, the same on all machines Go
// runs on.
const userHz = 100

// look is what the rank is doing; ok is false when it has ended or not started.
func (k *rank) look() (l task.Look, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cmd == nil || k.gone {
		return l, false
	}
	l = task.Look{Rank: k.number, CPU: used(k.cmd.Process.Pid), Phase: k.server.Phase(k.number), Last: k.out.lastLine()}
	if w, waiting := k.waits(); waiting {
		l.Wait = &w
	}
	return l, true
}

// open makes the file in which the rank says what it waits for, and keeps it:
// whatever the rank does to its name.
func (k *rank) open(name string) error {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.page = f
	return f.Truncate(waits.Size)
}

// waits is what a native rank says it waits for. The caller holds mu.
func (k *rank) waits() (waits.Wait, bool) {
	page := make([]byte, waits.Size)
	if n, _ := k.page.ReadAt(page, 0); n < len(page) {
		return waits.Wait{}, false
	}
	return waits.Read(page)
}

// close ends what was opened for the rank.
func (k *rank) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.page != nil {
		_ = k.page.Close()
	}
}

// used is the CPU time of a process.
func used(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), ") ") // the name before it may hold blanks
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * time.Second / userHz
}
