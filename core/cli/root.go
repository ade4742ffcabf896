package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/capstan-run/capstan/core"
)

// app is one invocation of the command.
type app struct {
	Wiring
	out, err io.Writer
	in       io.Reader
	address  string // --host
	state    string // --state
	output   string // -o
	launcher string
	quiet    bool // no word of a host started for the occasion
	script   script
}

// Run executes the command line and answers the exit code.
func Run(ctx context.Context, w Wiring, args []string, in io.Reader, out, errw io.Writer) int {
	a := &app{Wiring: w, out: out, err: errw, in: in}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errw)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	var code exitCode
	if errors.As(err, &code) {
		return int(code)
	}
	var e *core.Error
	if !errors.As(err, &e) {
		if errors.Is(err, context.Canceled) {
			return core.Cancelled.ExitCode()
		}
		e = usageError(cmd, err)
	}
	a.printError(e)
	return e.Kind.ExitCode()
}

// exitCode ends the command with a code whose story is told already.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit %d", int(c)) }

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "capstan",
		Short: "Host batch, BSP, MPI and streaming jobs as gangs of containers",
		Long: `Capstan hosts big-data frameworks: it starts a job's executors together or not
at all, and moves Arrow data between them.

  capstan init MapReduce > job.yaml    write a first job
  capstan run job.yaml                 run it and follow it`,
		SilenceErrors: true, SilenceUsage: true,
	}
	f := root.PersistentFlags()
	f.StringVar(&a.address, "host", os.Getenv("CAPSTAN_HOST"), "address of the host: unix:///path or https://… ($CAPSTAN_HOST)")
	f.StringVar(&a.state, "state", defaultState(), "state directory of a local host ($CAPSTAN_STATE)")
	f.StringVarP(&a.output, "output", "o", "table", "output format: table, json, yaml, name")
	choose(root, "output", formats...)
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		a.formatOrFile(c)
		if err := oneOf("output format", a.output, formats...); err != nil {
			return err
		}
		abs, err := filepath.Abs(a.state)
		a.state = abs
		return err
	}
	root.AddGroup(&cobra.Group{ID: "start", Title: "Start:"}, &cobra.Group{ID: "write", Title: "Write a job:"},
		&cobra.Group{ID: "run", Title: "Run it:"}, &cobra.Group{ID: "look", Title: "Look at it:"}, &cobra.Group{ID: "admin", Title: "Administer:"})
	add := func(group string, cmds ...*cobra.Command) {
		for _, c := range cmds {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("start", a.upCommand(), a.doctorCommand(), a.versionCommand())
	add("write", a.initCommand(), a.validateCommand(), a.planCommand(), a.schemaCommand())
	add("run", a.runCommand(), a.submitCommand(), a.deployCommand(), a.scaleCommand(), a.serviceCommand(), a.waitCommand(), a.cancelCommand(), a.holdCommand(), a.releaseCommand(), a.retryCommand(), a.scheduleCommand())
	for _, f := range a.Fronts {
		add("run", a.frontCommand(f))
	}
	add("look", a.listCommand(), a.statusCommand(), a.whyCommand(), a.whatIfCommand(), a.topCommand(), a.logsCommand(), a.eventsCommand())
	add("admin", a.nodeCommand(), a.queueCommand(), a.reservationCommand(), a.volumeCommand(), a.pluginCommand(), a.storeCommand(), a.simulateCommand())
	add("admin", a.Extra...)
	root.SetHelpCommandGroupID("look")
	root.SetCompletionCommandGroupID("admin")
	return family(root)
}

// formats are what -o takes.
var formats = []string{"table", "json", "yaml", "name"}

// defaultState is where a local host keeps its things.
func defaultState() string {
	if s := os.Getenv("CAPSTAN_STATE"); s != "" {
		return s
	}
	if s := os.Getenv("XDG_STATE_HOME"); s != "" {
		return filepath.Join(s, "capstan")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return filepath.Join(os.TempDir(), "capstan")
	}
	return filepath.Join(home, ".local", "state", "capstan")
}

// printError tells a person what happened, where, and what to do.
func (a *app) printError(e *core.Error) {
	if a.output == "json" || a.output == "yaml" {
		a.write(a.err, map[string]fault{"error": {e.Kind, errorWhat(e), e.Where, e.Remedy, e.Detail, e.Diagnostics}})
		return
	}
	fmt.Fprintf(a.err, "%s %s\n", a.colour(red, "error:"), cleanLines(errorWhat(e)))
	if e.Where != "" {
		fmt.Fprintf(a.err, "  at:  %s\n", clean(e.Where))
	}
	for _, d := range e.Diagnostics {
		remedy := d.Remedy
		d.Remedy = "" // it has its own line, below the excerpt
		fmt.Fprintf(a.err, "  - %s\n", clean(d.String()))
		a.excerpt(e.Where, d)
		if remedy != "" {
			fmt.Fprintf(a.err, "    fix: %s\n", clean(remedy))
		}
	}
	if e.Remedy != "" {
		fmt.Fprintf(a.err, "  fix: %s\n", cleanLines(e.Remedy))
	}
	if e.Detail != "" {
		for _, l := range strings.Split(strings.TrimRight(e.Detail, "\n"), "\n") {
			fmt.Fprintf(a.err, "  | %s\n", clean(l))
		}
	}
}

// fault is an error for programs.
type fault struct {
	Kind        core.ErrKind      `json:"kind"`
	What        string            `json:"what"`
	Where       string            `json:"where,omitempty"`
	Remedy      string            `json:"remedy,omitempty"`
	Detail      string            `json:"detail,omitempty"`
	Diagnostics []core.Diagnostic `json:"diagnostics,omitempty"`
}

// errorWhat is e without its place, which is printed apart.
func errorWhat(e *core.Error) string {
	c := *e
	c.Where, c.Diagnostics = "", nil
	return c.Error()
}

// excerpt shows the line of a document that d is about, if the document is a
// file here.
func (a *app) excerpt(file string, d core.Diagnostic) {
	if d.Line == 0 || file == "" {
		return
	}
	doc, err := os.ReadFile(file)
	if err != nil || len(doc) > 2<<20 {
		return
	}
	lines := strings.Split(string(doc), "\n")
	if d.Line > len(lines) {
		return
	}
	line := lines[d.Line-1]
	if len(line) > 160 {
		return
	}
	fmt.Fprintf(a.err, "    %4d | %s\n", d.Line, clean(line))
	fmt.Fprintf(a.err, "         | %s^\n", strings.Repeat(" ", max(0, min(d.Column-1, len(line)))))
}

// clean replaces control bytes, so that no text from elsewhere speaks to the
// terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\t' || r >= 0x7f && r < 0xa0 {
			return '·'
		}
		return r
	}, s)
}

// cleanLines is clean for text of several lines.
func cleanLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = clean(l)
	}
	return strings.Join(lines, "\n")
}

const (
	red    = "31"
	green  = "32"
	yellow = "33"
	dim    = "2"
	bold   = "1"
)

// colour paints s if stderr is a terminal and the user allows it.
func (a *app) colour(code, s string) string {
	if os.Getenv("NO_COLOR") != "" || !isTerminal(a.err) {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// hint is a line for people, on stderr.
func (a *app) hint(format string, args ...any) { fmt.Fprintf(a.err, format+"\n", args...) }
