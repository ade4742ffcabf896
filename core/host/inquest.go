package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/capstan-run/capstan/core"
)

// inquestWithin bounds an inquest: the start of a plugin process, a look at
// what was saved and a look at the destination.
const inquestWithin = 10 * time.Second

// What an inquest answers if it does not find a commit.
var (
	errNotCommitted = errors.New("the result is not committed")
	errNoAnswer     = errors.New("no answer")
)

// inDoubt is the outcome of an attempt that ended for cause when nobody can say
// whether its result is committed.
func inDoubt(cause, answer error) *core.Error {
	return &core.Error{Kind: core.HostLost, What: fmt.Sprintf("%v, and its coordinator does not say whether the result was committed before", cause),
		Remedy: "look whether the output is there before you run the job again", Detail: answer.Error()}
}

// inquire asks one more generation of the coordinator whether the attempt,
// which ended for cause without an answer, had committed (law H7). It answers
// nil and the report if so, else errNotCommitted or errNoAnswer. The attempt's
// door is fenced already, so what is found will not change.
func (a *attempt) inquire(cause error) (core.Report, error) {
	ctx, cancel := context.WithTimeout(a.h.ctx, inquestWithin)
	defer cancel()
	saved, err := a.h.journal.Saved(ctx, a.job.rec.Job.ID, a.epoch)
	if core.KindOf(err) == core.NotFound {
		return core.Report{}, errNotCommitted
	}
	report, err := a.askOnceMore(ctx, saved, err, cause)
	switch {
	case err == nil:
		return report, nil
	case ctx.Err() == nil && answers(err):
		return core.Report{}, errNotCommitted
	}
	a.h.log.Warn("inquest", "job", a.job.rec.Job.ID, "err", err)
	return core.Report{}, fmt.Errorf("%w: %w", errNoAnswer, err)
}

// answers reports whether err is what a coordinator says, and not what keeps it
// from saying anything.
func answers(err error) bool {
	switch core.KindOf(err) {
	case core.Internal, core.HostLost, core.Denied, core.NotFound:
		return false
	}
	return !errors.Is(err, core.ErrPluginCrash)
}

// askOnceMore runs the generation that is asked, behind a door of its own.
func (a *attempt) askOnceMore(ctx context.Context, saved []byte, err, cause error) (core.Report, error) {
	const sock = "inquest.sock"
	if err == nil {
		err = os.MkdirAll(a.dir("scratch"), 0o700)
	}
	if err != nil {
		return core.Report{}, err
	}
	door, err := a.h.cfg.Store.Door(ctx, a.prefix(), a.grants())
	if err != nil {
		return core.Report{}, err
	}
	defer door.Close()
	defer door.Fence()
	l, err := a.listen(sock)
	if err != nil {
		return core.Report{}, err
	}
	defer l.Close()
	door.Serve(l)

	side := newSide(a)
	defer side.close()
	a.h.mu.Lock()
	side.tell(core.CancelAsked{Reason: core.AsError(cause).What})
	a.job.rec.Generation++
	in := a.brief(a.coordinatorAccess(door, sock))
	in.Saved = saved
	a.h.mu.Unlock()
	if err := a.h.persistPatiently(ctx, a.job); err != nil {
		return core.Report{}, err
	}
	return a.h.cfg.Frameworks.Run(ctx, in.Job.Spec.Kind, in, &inquest{side})
}

// inquest is the host as a coordinator sees it that is only asked: no gang
// comes up any more.
type inquest struct{ *coordinatorSide }

func (*inquest) WantGang(core.GangAsk) error                { return nil }
func (*inquest) ReleaseGang(string) error                   { return nil }
func (*inquest) EndGang(string, bool) error                 { return nil }
func (*inquest) Send(string, int, []byte) error             { return nil }
func (*inquest) SendAfter(int64, string, int, []byte) error { return nil }
