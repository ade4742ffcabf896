package work

import (
	"context"
	"slices"
	"strconv"

	"github.com/capstan-run/capstan/frameworks/spark/spec"
	"github.com/capstan-run/capstan/frameworks/spark/task"
)

// maxStarts is how often a worker's process is started in one run (law W3).
const maxStarts = 4

// serve starts a Spark worker and keeps it running.
func (w *worker) serve(ctx context.Context, s *task.Serve) error {
	r, err := w.enter(ctx, s.Run, s.Secret)
	if err != nil {
		w.tell(ctx, fell(s.Run, "worker", err, true))
		return nil
	}
	r.parts.Go(func() { w.keepServing(ctx, r, s) })
	return nil
}

func (w *worker) keepServing(ctx context.Context, r *run, s *task.Serve) {
	for n := 1; ; n++ {
		err := w.serveOnce(ctx, r, s)
		if err == nil {
			return
		}
		w.note(func(h *task.Holds) { h.Serving = false })
		w.tell(ctx, fell(r.number, "worker", err, n == maxStarts))
		if n == maxStarts {
			return
		}
	}
}

// serveOnce runs a Spark worker until it ends by itself, which is an error, or is
// told to.
func (w *worker) serveOnce(ctx context.Context, r *run, s *task.Serve) error {
	ports, err := freePorts(w.address, 2)
	if err != nil {
		return err
	}
	p, err := w.daemon(r, "worker", "org.apache.spark.deploy.worker.Worker",
		"--host", w.address, "--port", strconv.Itoa(ports[0]), "--webui-port", strconv.Itoa(ports[1]),
		"--cores", strconv.Itoa(w.cores()), "--memory", w.memory(), "--work-dir", r.dir+"/work", s.Master)
	if err != nil {
		return err
	}
	defer p.kill()
	up := p.upOrEnded(ctx, r.until, func(ctx context.Context) bool {
		var page masterPage
		return get(ctx, s.Web+"/json/", &page) == nil && slices.ContainsFunc(page.Workers, func(k sparkWorker) bool {
			return k.Host == w.address && k.Port == ports[0] && k.State == "ALIVE"
		})
	})
	if up {
		w.note(func(h *task.Holds) { h.Serving = true })
		w.tell(ctx, &task.Up{Serving: &task.Serving{Run: r.number}})
	}
	select {
	case <-r.until:
		return nil
	case <-p.ended:
		return p.why()
	}
}

func (w *worker) cores() int { return max(1, int(w.env.CPU/1000)) }

// memory is what the Spark worker may give its executors: as much as one takes.
func (w *worker) memory() string {
	driver, each, alone := spec.Memory(&w.env.Spec.Gang)
	_, heap := w.body.Heaps(driver, each, alone)
	return mebibytes(heap)
}
