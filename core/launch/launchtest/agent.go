package launchtest

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/capstan-run/capstan/core/launch"
)

const (
	agentArg  = "launchtest-agent"
	childArg  = "launchtest-child"
	exitArg   = "launchtest-exit"
	asleepArg = "launchtest-asleep"
	socket    = "agents"
	bootstrap = "boot-"
)

// hello is an agent's first word.
type hello struct {
	Name     string // executor id, or "child of <id>"
	PID, UID int
	Env      map[string]string
	Args     []string
}

// command is what the test says; Op is a key of ops.
type command struct {
	Op   string
	Args []string
}

// answer is what came of it.
type answer struct {
	Text string
	Err  string
}

// Main becomes an agent if this process was started as one, and returns
// otherwise. Call it first in TestMain.
func Main() {
	if len(os.Args) < 2 {
		return
	}
	switch os.Args[1] {
	case agentArg, childArg:
		serve()
		os.Exit(0)
	case asleepArg:
		signal.Notify(make(chan os.Signal, 1)) // the runtime calls a wait for nothing a deadlock
		select {}
	case exitArg:
		code, err := strconv.Atoi(os.Args[2])
		if err != nil {
			code = 125
		}
		fmt.Fprintln(os.Stderr, "ends at once")
		os.Exit(code)
	}
}

func serve() {
	// The agent's host is the test: without it there is no reason to live.
	conn, err := net.Dial("unix", filepath.Join(os.Getenv(launch.EnvShared), socket))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(120)
	}
	enc, dec := json.NewEncoder(conn), json.NewDecoder(conn)
	if err := enc.Encode(introduce()); err != nil {
		os.Exit(121)
	}
	for {
		var c command
		if err := dec.Decode(&c); err != nil {
			os.Exit(122)
		}
		text, err := ops[c.Op](c.Args)
		a := answer{Text: text}
		if err != nil {
			a.Err = err.Error()
		}
		if err := enc.Encode(a); err != nil {
			os.Exit(123)
		}
	}
}

func introduce() hello {
	h := hello{PID: os.Getpid(), UID: os.Getuid(), Env: map[string]string{}, Args: os.Args[1:]}
	for _, kv := range os.Environ() {
		k, v, _ := strings.Cut(kv, "=")
		h.Env[k] = v
	}
	_, h.Name, _ = strings.Cut(h.Env[launch.EnvExecutor], "/")
	if os.Args[1] == childArg {
		h.Name = "child of " + h.Name
	}
	return h
}

var ops = map[string]func([]string) (string, error){
	"exit": func(a []string) (string, error) {
		fmt.Fprintln(os.Stderr, strings.Join(a[1:], " "))
		code, err := strconv.Atoi(a[0])
		if err != nil {
			return "", err
		}
		os.Exit(code)
		return "", nil
	},
	"print": func(a []string) (string, error) {
		n, err := strconv.Atoi(a[0])
		if err != nil {
			return "", err
		}
		line := strings.Repeat("x", 1023) + "\n"
		// All on stderr: engines keep no order between the two streams.
		for range n {
			if _, err := os.Stderr.WriteString(line); err != nil {
				return "", err
			}
		}
		_, err = fmt.Fprintln(os.Stderr, a[1])
		return "", err
	},
	"read": func(a []string) (string, error) {
		b, err := os.ReadFile(a[0])
		return string(b), err
	},
	"write": func(a []string) (string, error) {
		return "", os.WriteFile(a[0], []byte(a[1]), 0o644)
	},
	"stat": func(a []string) (string, error) {
		_, err := os.Stat(a[0])
		return "", err
	},
	"alloc": func(a []string) (string, error) {
		n, err := strconv.Atoi(a[0])
		if err != nil {
			return "", err
		}
		b := make([]byte, n)
		for i := 0; i < n; i += 4096 {
			b[i] = 1
		}
		return strconv.Itoa(int(b[0])), nil
	},
	"dial": func(a []string) (string, error) {
		c, err := net.DialTimeout("tcp", a[0], 2*time.Second)
		if err != nil {
			return "", err
		}
		return "", c.Close()
	},
	"listen": func(a []string) (string, error) {
		l, err := net.Listen("tcp", a[0])
		if err != nil {
			return "", err
		}
		return l.Addr().String(), nil
	},
	"setuid": func([]string) (string, error) { return "", syscall.Setuid(0) },
	"mount": func(a []string) (string, error) {
		return "", syscall.Mount("none", a[0], "tmpfs", 0, "")
	},
	"nofile": func([]string) (string, error) {
		var r syscall.Rlimit
		err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r)
		return strconv.FormatUint(r.Max, 10), err
	},
	"run": func(a []string) (string, error) {
		out, err := exec.Command(a[0], a[1:]...).CombinedOutput()
		return string(out), err
	},
	"child": func(a []string) (string, error) {
		self, err := os.Executable()
		if err != nil {
			return "", err
		}
		cmd := exec.Command(self, childArg)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: len(a) > 0 && a[0] == "own session"}
		return "", cmd.Start()
	},
}
