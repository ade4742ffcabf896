package executor

import (
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// reapAdopted buries the orphans that an init process inherits. Children that
// os/exec started are left to their own Wait: os/exec holds a pidfd of each
// from its birth on, so a zombie of which this process has no pidfd is
// adopted. Without pidfds nothing is reaped, for nothing could be told apart.
func reapAdopted() (stop func()) {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return func() {}
	}
	unix.Close(fd)
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		for {
			select {
			case <-ended:
				reap()
			case <-quit:
				return
			}
		}
	}()
	return func() {
		signal.Stop(ended)
		close(quit)
		<-gone
	}
}

func reap() {
	for _, pid := range zombies(os.Getpid()) {
		if !ours(pid) {
			// Its status concerns nobody.
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
		}
	}
}

// zombies lists the ended children of parent that were not waited for.
func zombies(parent int) []int {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	var pids []int
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		// pid (any bytes) state ppid …
		_, rest, ok := cutLast(string(stat), ")")
		fields := strings.Fields(rest)
		if !ok || len(fields) < 2 || fields[0] != "Z" || fields[1] != strconv.Itoa(parent) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// ours reports whether this process holds a pidfd of pid. It must be asked
// after pid was seen as a zombie: a pid cannot be used again before that.
func ours(pid int) bool {
	want := "\nPid:\t" + strconv.Itoa(pid) + "\n"
	infos, _ := filepath.Glob("/proc/self/fdinfo/*")
	for _, path := range infos {
		info, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(info), want) {
			return true
		}
	}
	return false
}
