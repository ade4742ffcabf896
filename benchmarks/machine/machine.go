// Package machine describes the machine a benchmark ran on.
package machine

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Machine is what a reader needs to know to compare figures.
type Machine struct {
	CPU    string `json:"cpu"` // model name
	Cores  int    `json:"cores"`
	Memory int64  `json:"memory"` // bytes
	System string `json:"system"` // distribution
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Docker string `json:"docker,omitempty"` // the engine's version; "" if none answers
	Java   string `json:"java,omitempty"`
	Spark  string `json:"spark,omitempty"` // set by who installed it
}

// Describe looks at this machine. What it cannot find out stays empty.
func Describe(ctx context.Context) Machine {
	m := Machine{
		Cores:  runtime.NumCPU(),
		Go:     strings.TrimPrefix(runtime.Version(), "go"),
		Kernel: firstLine(read("/proc/sys/kernel/osrelease")),
		Docker: say(ctx, "docker", "version", "--format", "{{.Server.Version}}"),
		Java:   version(say(ctx, "java", "-version")),
	}
	m.CPU, _ = field(strings.NewReader(read("/proc/cpuinfo")), "model name", ":")
	if m.CPU == "" {
		m.CPU = runtime.GOARCH
	}
	if kb, ok := field(strings.NewReader(read("/proc/meminfo")), "MemTotal", ":"); ok {
		n, _ := strconv.ParseInt(strings.TrimSuffix(kb, " kB"), 10, 64)
		m.Memory = n << 10
	}
	name, _ := field(strings.NewReader(read("/etc/os-release")), "PRETTY_NAME", "=")
	m.System = strings.Trim(name, `"`)
	return m
}

// Load is the number of threads that ran or wanted to, on average over the
// last minute; 0 where the system does not say.
func Load() float64 {
	first, _, _ := strings.Cut(read("/proc/loadavg"), " ")
	v, _ := strconv.ParseFloat(first, 64)
	return v
}

func read(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}

// field finds "key sep value" among lines.
func field(r io.Reader, key, sep string) (string, bool) {
	for s := bufio.NewScanner(r); s.Scan(); {
		k, v, ok := strings.Cut(s.Text(), sep)
		if ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v), true
		}
	}
	return "", false
}

// version finds `17.0.15` in `openjdk version "17.0.15" 2025-04-15`.
func version(line string) string {
	if _, rest, ok := strings.Cut(line, `"`); ok {
		v, _, _ := strings.Cut(rest, `"`)
		return v
	}
	return ""
}

// say is the first line a command says, "" if it fails.
func say(ctx context.Context, args ...string) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	b, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return ""
	}
	return firstLine(string(b))
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimSpace(line)
}
