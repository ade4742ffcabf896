package host

import (
	"context"
	"time"

	"connectrpc.com/connect"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api/apipb"
)

// ShutdownAsked is closed when a caller asked the host to end.
func (h *Host) ShutdownAsked() <-chan struct{} { return h.closing }

// Idle reports whether no job is running or being cleaned up and nobody calls,
// and since when.
func (h *Host) Idle() (bool, time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.idle(), h.used
}

func (h *Host) idle() bool {
	for _, j := range h.jobs {
		if !j.rec.Job.State.Final() || j.attempt != nil {
			return false
		}
	}
	return h.calls == 0
}

func (s *service) Shutdown(_ context.Context, r *connect.Request[apipb.ShutdownRequest]) (*connect.Response[apipb.ShutdownResponse], error) {
	h := s.h
	asked := h.shutdown(r.Msg)
	if asked == nil {
		return connect.NewResponse(&apipb.ShutdownResponse{}), nil
	}
	for _, j := range asked {
		h.persist(j) // the next host ends what this one cannot
	}
	return connect.NewResponse(&apipb.ShutdownResponse{Stopping: true}), nil
}

// shutdown begins the end of the host and answers the jobs it cancels; nil if
// the host stays.
func (h *Host) shutdown(r *apipb.ShutdownRequest) []*job {
	h.mu.Lock()
	defer h.mu.Unlock()
	// Another caller may be about to submit: one call is this one.
	if r.OnlyIfOccasionalAndIdle && (!h.cfg.Occasional || !h.onlyFinal() || h.calls > 1) {
		return nil
	}
	asked := []*job{}
	if r.StopJobs {
		for _, j := range h.jobs {
			if h.cancelLocked(j, core.Errorf(core.Cancelled, "the host was shut down")) {
				asked = append(asked, j)
			}
		}
	}
	if !h.ending() {
		close(h.closing)
	}
	return asked
}

func (h *Host) onlyFinal() bool {
	for _, j := range h.jobs {
		if !j.rec.Job.State.Final() {
			return false
		}
	}
	return true
}

// drain gives jobs that ended the time to be cleaned up.
func (h *Host) drain() {
	deadline := time.After(20 * time.Second)
	for {
		changed := h.unswept()
		if changed == nil {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			return
		}
	}
}

// unswept is closed when a job changes that has ended, or is told to, and is
// not cleared away yet; nil if there is none.
func (h *Host) unswept() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, j := range h.jobs {
		if j.attempt != nil && (j.rec.Job.State.Final() || j.cancel != nil) {
			return j.changed
		}
	}
	return nil
}

// retire begins the end of an occasional host that had nothing to do for a
// while. From then on no job is accepted.
func (h *Host) retire() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.idle() || time.Since(h.used) <= idleAfter {
		return false
	}
	if !h.ending() {
		close(h.closing)
	}
	return true
}
