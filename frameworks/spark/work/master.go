package work

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/spark/task"
)

// begin starts Spark's master, for a run of its own secret.
func (w *worker) begin(ctx context.Context, b *task.Begin) error {
	r, err := w.enter(ctx, b.Run, rand.Text())
	if err == nil {
		err = w.master(ctx, r)
	}
	if err != nil {
		w.tell(ctx, fell(b.Run, "master", err, true))
	}
	return nil
}

func (w *worker) master(ctx context.Context, r *run) error {
	ports, err := freePorts(w.address, 2)
	if err != nil {
		return err
	}
	p, err := w.daemon(r, "master", "org.apache.spark.deploy.master.Master",
		"--host", w.address, "--port", strconv.Itoa(ports[0]), "--webui-port", strconv.Itoa(ports[1]))
	if err != nil {
		return err
	}
	ready := &task.Ready{Run: r.number, Master: "spark://" + at(w.address, ports[0]), Web: "http://" + at(w.address, ports[1]),
		Version: w.dist.version, Secret: r.secret}
	r.parts.Go(func() { w.watchMaster(ctx, r, p, ready) })
	return nil
}

// watchMaster tells that the master takes workers, and that it has ended.
func (w *worker) watchMaster(ctx context.Context, r *run, p *part, ready *task.Ready) {
	defer p.kill()
	up := p.upOrEnded(ctx, r.until, func(ctx context.Context) bool {
		var page masterPage
		return get(ctx, ready.Web+"/json/", &page) == nil && page.Status == "ALIVE"
	})
	if up {
		w.note(func(h *task.Holds) { h.Master = ready })
		w.tell(ctx, &task.Up{Ready: ready})
	}
	select {
	case <-r.until:
	case <-p.ended:
		w.note(func(h *task.Holds) { h.Master = nil })
		w.tell(ctx, fell(r.number, "master", p.why(), true))
	}
}

// fell is the word that a part is not there.
func fell(run int, part string, err error, final bool) *task.Up {
	e := *core.AsError(err)
	if e.Err != nil {
		e.What, e.Err = e.Error(), nil
	}
	if e.What == "" {
		e.What = fmt.Sprintf("Spark's %s did not start", part)
	}
	return &task.Up{Fell: &task.Fell{Run: run, Part: part, Why: e, Final: final}}
}
