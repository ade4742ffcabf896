package scenarios

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// leftovers looks for what a lab leaves behind once its host has ended and all
// its jobs are over (law S2).
func (l *lab) leftovers() {
	l.t.Helper()
	for _, s := range l.processes() {
		l.t.Errorf("left behind: process %s", s)
	}
	if engine() == nil { // which "auto" would have taken
		filter := "label=capstan.instance=" + l.instance()
		for _, c := range l.docker("ps", "-a", "--filter", filter, "--format", "{{.ID}} {{.Names}} {{.Status}}") {
			l.t.Errorf("left behind: container %s", c)
			l.docker("rm", "-f", strings.Fields(c)[0])
		}
		for _, n := range l.docker("network", "ls", "--filter", filter, "--format", "{{.ID}} {{.Name}}") {
			l.t.Errorf("left behind: network %s", n)
			l.docker("network", "rm", strings.Fields(n)[0])
		}
	}
	filepath.WalkDir(l.state, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		rel, _ := filepath.Rel(l.state, path)
		if why := stray(rel, d); why != "" {
			l.t.Errorf("left behind: %s %s", why, rel)
		}
		return nil
	})
	mounts, _ := os.ReadFile("/proc/self/mounts")
	for _, m := range strings.Split(string(mounts), "\n") {
		if strings.Contains(m, l.state+"/") {
			l.t.Errorf("left behind: mount %s", m)
		}
	}
}

// stray says what is wrong with a file of the state directory, "" if nothing is.
func stray(rel string, d fs.DirEntry) string {
	part := strings.Split(rel, "/")
	switch {
	case d.Type()&fs.ModeSocket != 0:
		return "socket"
	case part[0] == "gangs" && len(part) > 1:
		return "gang folder"
	case part[0] == "tmp" && len(part) > 1:
		return "temporary file"
	case part[0] == "jobs" && len(part) > 2 && part[2] != "log":
		return "attempt folder"
	case part[0] == "launch" && len(part) > 2 && part[1] != "binaries" && part[1] != "userland":
		return "executor record"
	case part[0] == "store" && !d.IsDir() && strings.Contains(rel, "capstan/jobs/"):
		return "temporary object"
	case part[0] == "store" && !d.IsDir() && strings.Contains(rel, "/.sgwtmp/"):
		return "half an upload"
	}
	return ""
}

// processes lists what runs with the lab's state directory in its command line,
// environment or working directory, or is the binary itself in its name.
func (l *lab) processes() []string {
	var found []string
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		line, err := os.ReadFile(d + "/cmdline")
		if err != nil {
			continue
		}
		env, _ := os.ReadFile(d + "/environ")
		cwd, _ := os.Readlink(d + "/cwd")
		if d != fmt.Sprintf("/proc/%d", os.Getpid()) && strings.Contains(string(line)+"\x00"+string(env)+"\x00"+cwd, l.state) {
			found = append(found, filepath.Base(d)+": "+strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}
