package work

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/capstan-run/capstan/frameworks/mpi/task"
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
	return task.Look{Rank: k.number, CPU: used(k.cmd.Process.Pid), Phase: k.server.Phase(k.number), Last: k.out.lastLine()}, true
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
