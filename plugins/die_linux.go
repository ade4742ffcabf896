package plugins

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel kill the process when the thread that started
// it ends, and keeps a terminal's Ctrl-C from it.
func dieWithParent(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
