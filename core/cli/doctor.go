package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/capstan-run/capstan/core"
)

// finding is one line of `capstan doctor`.
type finding struct {
	Check  string `json:"check"`
	State  string `json:"state"` // ok, warn, fail
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"`
}

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Look for what would keep jobs from running here", Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			found := a.examine(cmd.Context())
			failed := false
			for _, f := range found {
				failed = failed || f.State == "fail"
			}
			names := make([]string, len(found))
			for i, f := range found {
				names[i] = f.Check
			}
			err := a.print(found, names, func(w io.Writer) {
				for _, f := range found {
					fmt.Fprintf(w, "%s\t%s\t%s\n", f.State, f.Check, f.Text)
					if f.Remedy != "" && f.State != "ok" {
						fmt.Fprintf(w, "\t\tfix: %s\n", f.Remedy)
					}
				}
			})
			if err == nil && failed {
				return exitCode(1)
			}
			return err
		},
	}
}

func (a *app) examine(ctx context.Context) []finding {
	return []finding{a.checkHost(ctx), a.checkEngine(ctx), a.checkState(), checkSpace(a.state, 2<<30), checkSpace("/dev/shm", 64<<20),
		checkFiles(), {"machine", "ok", fmt.Sprintf("%d cores, %s/%s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH), ""}}
}

func (a *app) checkHost(ctx context.Context) finding {
	c, info, err := a.host(ctx)
	switch {
	case err == nil:
		c.Close()
		return finding{"host", "ok", fmt.Sprintf("version %s answers at %s; launcher %s (%s)", info.Version, c.Address(), info.Launcher, info.LauncherWhy), ""}
	case core.KindOf(err) == core.HostLost && !errors.Is(err, errSilent):
		return finding{"host", "ok", "none runs; `capstan run` starts one for the occasion", ""}
	}
	e := core.AsError(err)
	return finding{"host", "fail", errorWhat(e), e.Remedy}
}

func (a *app) checkEngine(ctx context.Context) finding {
	if a.Engine == nil {
		return finding{"docker", "ok", "this binary starts plain processes only", ""}
	}
	version, err := a.Engine(ctx)
	if err != nil {
		return finding{"docker", "warn", cleanLines(err.Error()),
			"start Docker or set DOCKER_HOST, or let jobs run as plain processes: no isolation, no memory limits"}
	}
	return finding{"docker", "ok", "engine " + clean(version) + " answers", ""}
}

func (a *app) checkState() finding {
	if err := os.MkdirAll(a.state, 0o700); err != nil {
		return finding{"state", "fail", err.Error(), "choose another with --state or $CAPSTAN_STATE"}
	}
	probe := filepath.Join(a.state, ".doctor")
	if err := os.WriteFile(probe, nil, 0o600); err != nil {
		return finding{"state", "fail", err.Error(), "choose another with --state or $CAPSTAN_STATE"}
	}
	os.Remove(probe)
	return finding{"state", "ok", a.state, ""}
}

func checkSpace(dir string, want uint64) finding {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return finding{"space", "warn", fmt.Sprintf("%s: %v", dir, err), ""}
	}
	free := st.Bavail * uint64(st.Bsize)
	f := finding{"space", "ok", fmt.Sprintf("%s free at %s", size(int64(free)), dir), ""}
	if free < want {
		f.State, f.Remedy = "warn", "make room, or choose another directory with --state"
	}
	return f
}

func checkFiles() finding {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return finding{"files", "warn", err.Error(), ""}
	}
	f := finding{"files", "ok", fmt.Sprintf("%d open files allowed", l.Max), ""}
	if l.Max < 4096 {
		f.State, f.Remedy = "warn", "raise it with `ulimit -n 65536`"
	}
	return f
}
