package work

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/artifact"
	"github.com/capstan-run/capstan/frameworks/spark/spec"
	"github.com/capstan-run/capstan/frameworks/spark/task"
)

// drive runs the application.
func (w *worker) drive(ctx context.Context, d *task.Drive) error {
	r, err := w.enter(ctx, d.Run, d.Secret)
	var app *application
	if err == nil {
		app, err = w.submit(ctx, r, d.Master)
	}
	if err != nil {
		w.done(ctx, &task.Done{Run: d.Run, Code: 1, Fault: fault(err)})
		return nil
	}
	w.note(func(h *task.Holds) { h.Driving = true })
	r.app = app
	go func() {
		defer close(app.over)
		w.done(ctx, app.follow(ctx))
	}()
	return nil
}

// done tells the end of the application, now and to a later coordinator.
func (w *worker) done(ctx context.Context, d *task.Done) {
	w.note(func(h *task.Holds) { h.Driving, h.Done = false, d })
	w.tell(ctx, &task.Up{Done: d})
}

// fault is an error as it crosses to the coordinator.
func fault(err error) *core.Error {
	e := *core.AsError(err)
	if e.Err != nil {
		e.What, e.Err = e.Error(), nil
	}
	return &e
}

// submit starts spark-submit with the application.
func (w *worker) submit(ctx context.Context, r *run, master string) (*application, error) {
	ports, err := freePorts(w.address, 1)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(r.dir, "app")
	if err := w.link(dir); err != nil {
		return nil, err
	}
	results := filepath.Join(w.env.Shared, "results-"+strconv.Itoa(r.number))
	if err := os.MkdirAll(results, 0o777); err != nil {
		return nil, core.Errorf(core.Failed, "make the folder of the results: %v", err).Do("look at the disk that holds Capstan's state")
	}
	env := map[string]string{"CAPSTAN_RESULTS": results, "CAPSTAN_JOB": string(w.env.Rank.Job), "PWD": dir}
	for k, v := range w.body.Env {
		env[k] = v
	}
	a := &application{w: w, run: r, results: results, web: "http://" + at(w.address, ports[0]),
		stops: make(chan task.Stop, 1), over: make(chan struct{})}
	if a.proc, err = startProgram(w, w.argv(r, master, ports[0]), dir, w.environ(r, env)); err != nil {
		return nil, err
	}
	return a, nil
}

// argv is spark-submit with all that the body says.
func (w *worker) argv(r *run, master string, web int) []string {
	b := w.body
	driver, each, alone := spec.Memory(&w.env.Spec.Gang)
	heap, _ := b.Heaps(driver, each, alone)
	argv := []string{w.dist.home + "/bin/spark-submit", "--master", master, "--deploy-mode", "client", "--name", w.env.Spec.Metadata.Name,
		"--driver-memory", mebibytes(heap), "--conf", "spark.ui.port=" + strconv.Itoa(web)}
	for _, l := range []struct {
		flag  string
		files []string
	}{{"--files", b.Files}, {"--py-files", b.PyFile}, {"--jars", b.Jars}} {
		if len(l.files) > 0 {
			argv = append(argv, l.flag, strings.Join(w.shipped(l.files), ","))
		}
	}
	if b.Class != "" {
		argv = append(argv, "--class", b.Class)
	}
	return append(append(argv, artifact.In(w.env.Files, b.App)), b.Args...)
}

// link shows the shipped files in the application's working directory.
func (w *worker) link(dir string) error {
	for _, file := range w.shipped(w.body.Files) {
		err := os.Symlink(file, filepath.Join(dir, filepath.Base(file)))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return core.Errorf(core.Failed, "show %s to the application: %v", filepath.Base(file), err)
		}
	}
	return nil
}
