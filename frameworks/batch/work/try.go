package work

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor/command"
	"github.com/capstan-run/capstan/frameworks/artifact"
	"github.com/capstan-run/capstan/frameworks/batch/spec"
	"github.com/capstan-run/capstan/frameworks/batch/task"
)

// try is one try of a rank's task.
type try struct {
	env    *core.Env
	body   *spec.Body
	number int
	place  place
	dir    string // of its own, empty
	stops  chan task.Stop
}

func newTry(env *core.Env, body *spec.Body, run *task.Run, dir string) *try {
	return &try{env: env, body: body, number: run.Try, place: placeOf(env, run), dir: dir, stops: make(chan task.Stop, 4)}
}

// stop asks the try to end. Who asks more often than it listens is not heard.
func (t *try) stop(s task.Stop) {
	select {
	case t.stops <- s:
	default:
	}
}

// run runs the try to its end.
func (t *try) run(ctx context.Context) *task.Done {
	d := &task.Done{Try: t.number}
	if err := t.execute(ctx, d); err != nil {
		e := *core.AsError(err)
		if e.Err != nil {
			e.What, e.Err = e.Error(), nil
		}
		d.Fault = &e
	}
	return d
}

func (t *try) execute(ctx context.Context, d *task.Done) error {
	workdir, err := t.prepare()
	if err != nil {
		return err
	}
	argv, err := t.argv()
	if err != nil {
		return err
	}
	environ, err := t.environ(workdir)
	if err != nil {
		return err
	}
	in, err := t.input(ctx)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := t.streams()
	if err != nil {
		return err
	}
	defer out.drain()
	cmd, err := command.New(argv, workdir, environ)
	if err != nil {
		return err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out.stdout, out.stderr
	p, err := start(cmd)
	if err != nil {
		return err
	}
	out.handed()
	began := time.Now()
	t.watch(ctx, p, d, began)
	d.Wall = time.Since(began)
	p.report(d)
	out.drain()
	d.Tail = out.tail()
	if ctx.Err() != nil {
		return nil // nobody will read it
	}
	d.Streams, err = t.keep(ctx, out)
	return err
}

// watch waits for the end of p, and brings it about if it is asked to or the
// time is over (law W2).
func (t *try) watch(ctx context.Context, p *process, d *task.Done, began time.Time) {
	name := signals[t.body.Signal.Name]
	kill, soon := newTimer(0), newTimer(0)
	var last time.Duration // the grace of a stop that waits
	limit := newTimer(time.Duration(t.body.Timeout))
	warn := newTimer(t.warnAfter())
	defer kill.Stop()
	defer soon.Stop()
	defer limit.Stop()
	defer warn.Stop()
	for {
		select {
		case <-p.ended:
			return
		case <-ctx.Done():
			p.signal(signals["KILL"])
		case s := <-t.stops:
			if soon.Stop(); !s.Off {
				last = s.Grace
				soon.Reset(s.After)
			}
		case <-soon.C:
			d.Stopped = true
			p.signal(name)
			kill.Reset(last)
		case <-limit.C:
			d.TimedOut = true
			p.signal(name)
			kill.Reset(t.grace())
		case <-warn.C:
			p.signal(name)
		case <-kill.C:
			p.signal(signals["KILL"])
		}
		if ctx.Err() != nil {
			<-p.ended
			return
		}
	}
}

// warnAfter is when the walltime's end is near; 0: never.
func (t *try) warnAfter() time.Duration {
	before := time.Duration(t.body.Signal.Before)
	if before == 0 {
		return 0
	}
	return max(time.Millisecond, time.Duration(t.env.Spec.Metadata.Walltime)-before)
}

func (t *try) grace() time.Duration {
	if g := time.Duration(t.env.Spec.Gang.Grace); g > 0 {
		return g
	}
	return 30 * time.Second
}

// newTimer fires after d; never if d is 0.
func newTimer(d time.Duration) *time.Timer {
	timer := time.NewTimer(time.Hour)
	if timer.Stop(); d > 0 {
		timer.Reset(d)
	}
	return timer
}

// prepare makes the working directory.
func (t *try) prepare() (string, error) {
	workdir := t.body.Workdir
	if workdir == "" {
		workdir = filepath.Join(t.dir, "work")
		if err := os.Mkdir(workdir, 0o755); err != nil {
			return "", core.Errorf(core.Failed, "make the working directory: %v", err)
		}
		return workdir, t.link(workdir)
	}
	fi, err := os.Stat(workdir)
	if err != nil || !fi.IsDir() {
		return "", core.Errorf(core.Invalid, "the working directory %s is not in the executor", workdir).
			Do("leave out spec.workdir and ship what the task reads with spec.files, or run it where that folder is")
	}
	return workdir, nil
}

// link puts the shipped files into the working directory.
func (t *try) link(workdir string) error {
	for _, f := range t.body.Shipped().Files() {
		if err := os.Symlink(filepath.Join(t.env.Files, f.Name), filepath.Join(workdir, f.Name)); err != nil {
			return core.Errorf(core.Failed, "link %s into the working directory: %v", f.Name, err)
		}
	}
	return nil
}

// argv is the command line.
func (t *try) argv() ([]string, error) {
	if len(t.body.Command) > 0 {
		argv := append([]string(nil), t.body.Command...)
		argv[0] = artifact.In(t.env.Files, argv[0])
		return argv, nil
	}
	argv, ok := t.body.Interpreter()
	if !ok {
		return nil, core.Errorf(core.Invalid, "the script does not say what runs it").Do(`begin it with #! and its interpreter, such as "#!/bin/sh"`)
	}
	file := filepath.Join(t.dir, "script")
	if err := os.WriteFile(file, []byte(t.body.Script), 0o755); err != nil {
		return nil, core.Errorf(core.Failed, "write the script: %v", err)
	}
	return append(append(argv, file), t.body.Args...), nil
}

// input opens what the program reads.
func (t *try) input(ctx context.Context) (*os.File, error) {
	name := artifact.In(t.env.Files, t.body.Stdin)
	key, stored := strings.CutPrefix(name, "s3://")
	switch {
	case name == "":
		name = os.DevNull
	case stored:
		return t.fetch(ctx, spec.Expand(key, t.place.pattern()))
	default:
		name = spec.Expand(name, t.place.pattern())
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, core.Errorf(core.Invalid, "open spec.stdin: %v", err).Do("name a file that the executor has, or one beside the document, which is shipped")
	}
	return f, nil
}

// fetch copies an object into a file and opens it.
func (t *try) fetch(ctx context.Context, object string) (*os.File, error) {
	st, err := openStore(t.env)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	r, _, err := st.Get(ctx, object, 0, -1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	f, err := os.Create(filepath.Join(t.dir, "stdin"))
	if err != nil {
		return nil, err
	}
	if _, err = io.Copy(f, r); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, core.Errorf(core.Failed, "read s3://%s: %v", object, err)
	}
	return f, nil
}

// keep puts the streams that the job wants kept into the store, and says which
// of them belong into files.
func (t *try) keep(ctx context.Context, out *streams) ([]string, error) {
	var left []string
	for _, s := range out.kept() {
		if err := s.Err(); err != nil {
			return nil, core.Errorf(core.Failed, "keep %s: %v", s.name, err).Do("look at the disk that holds Capstan's state")
		}
		to := spec.Expand(s.to, t.place.pattern())
		object, stored := strings.CutPrefix(to, "s3://")
		if !stored {
			object = task.Object(t.env.Store.Prefix, t.env.Rank.Gang, t.env.Rank.Rank, t.number, s.name)
			left = append(left, s.name)
		}
		if err := put(ctx, t.env, object, s.file.Name()); err != nil {
			return nil, err
		}
	}
	return left, nil
}
