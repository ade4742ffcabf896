package executor

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// reaperMain plays init: as a subreaper it adopts the orphan that a shell
// leaves, which must be reaped, while os/exec's own child keeps its status.
func reaperMain() int {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		fmt.Println("prctl:", err)
		return 1
	}
	// Our own child: a zombie that nobody has waited for yet.
	own := exec.Command("sh", "-c", "exit 7")
	if err := own.Start(); err != nil {
		fmt.Println(err)
		return 1
	}
	waitState(own.Process.Pid)
	out, err := exec.Command("sh", "-c", "sleep 0 >/dev/null 2>&1 & echo $!").Output()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	orphan, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	waitState(orphan)
	before := zombies(os.Getpid())
	reap()
	after := zombies(os.Getpid())
	err = own.Wait()
	fmt.Println(slices.Contains(before, orphan), slices.Contains(after, orphan), slices.Contains(after, own.Process.Pid), err)
	return 0
}

// waitState waits until pid has ended, without reaping it.
func waitState(pid int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	for {
		if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1); err != unix.EINTR {
			return
		}
	}
}

func TestReap(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "EXECUTOR_TEST=reaper")
	out, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "true false true exit status 7" {
		t.Errorf("%v: %s", err, out)
	}
}
