package host

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/apipb"
	"github.com/capstan-run/capstan/core/calendar"
	"github.com/capstan-run/capstan/core/spec"
)

// PutSchedule checks a document of kind Schedule and the job in it, as Submit
// would, and brings it into force. The job's id is the firing's.
func (h *Host) PutSchedule(ctx context.Context, doc []byte, source string) (calendar.View, []core.Diagnostic, error) {
	outer, job, err := h.parseSchedule(ctx, doc, source)
	if err != nil {
		return calendar.View{}, nil, err
	}
	s := calendar.Schedule{Name: outer.Metadata.Name}
	if err := json.Unmarshal(outer.Body, &s); err != nil {
		return calendar.View{}, nil, core.Errorf(core.Invalid, "%v", err).At(source)
	}
	job.Body = calendar.Stamp(job.Body, s.Name+"-0", now())
	warnings, err := h.wouldTake(ctx, job)
	if err != nil {
		return calendar.View{}, nil, located(inJob(err), doc, source)
	}
	if _, err := h.clerk.step(ctx, calendar.Put{Now: now().UnixMilli(), Schedule: s}); err != nil {
		return calendar.View{}, nil, located(err, doc, source)
	}
	v, err := h.clerk.calendar().View(s.Name)
	return v, warnings, err
}

// parseSchedule is parse of a schedule and the job in it, whose framework sees it
// as of a firing now.
func (h *Host) parseSchedule(ctx context.Context, doc []byte, source string) (outer, job *core.Spec, err error) {
	kinds := h.cfg.Frameworks.Kinds()
	own := func(s *core.Spec) []core.Diagnostic { return calendar.CheckSpec(s, time.LoadLocation) }
	if outer, job, err = spec.ParseSchedule(doc, source, calendar.Describe(), kinds, own, nil); err == nil {
		return outer, job, nil
	}
	jobs := func(s *core.Spec) []core.Diagnostic {
		s.Body = calendar.Stamp(s.Body, "plan-0", now())
		return h.judge(ctx)(s)
	}
	return spec.ParseSchedule(doc, source, calendar.Describe(), kinds, own, jobs)
}

// wouldTake says why a job could not be submitted.
func (h *Host) wouldTake(ctx context.Context, s *core.Spec) ([]core.Diagnostic, error) {
	draft := core.Job{ID: "plan", Spec: *s, State: core.Queued, Epoch: 1, Submitted: now()}
	plan, err := h.cfg.Frameworks.Plan(ctx, &draft)
	if err != nil {
		return nil, err
	}
	if err := h.checkPlan(plan); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.checkAfter(s); err != nil {
		return nil, err
	}
	return plan.Diagnostics, h.placeable(&job{rec: record{Job: draft, Plan: *plan}})
}

// inJob makes the paths of a job's faults those of the schedule around it.
func inJob(err error) error {
	var e *core.Error
	if !errors.As(err, &e) {
		return err
	}
	for i := range e.Diagnostics {
		e.Diagnostics[i].Path = strings.TrimSuffix("spec.job."+e.Diagnostics[i].Path, ".")
	}
	return err
}

func (s *service) PutSchedule(ctx context.Context, r *connect.Request[apipb.PutScheduleRequest]) (*connect.Response[apipb.ScheduleResponse], error) {
	if len(r.Msg.Spec) > maxSpec {
		return nil, api.ToConnect(tooLarge(len(r.Msg.Spec)))
	}
	v, warnings, err := s.h.PutSchedule(ctx, r.Msg.Spec, r.Msg.Source)
	if err != nil {
		return nil, api.ToConnect(err)
	}
	out := new(apipb.ScheduleResponse)
	for _, w := range warnings {
		if d, err := api.ToStruct(w); err == nil {
			out.Warnings = append(out.Warnings, d)
		}
	}
	out.Schedule, err = api.ToStruct(v)
	return connect.NewResponse(out), err
}

func (s *service) ListSchedules(context.Context, *connect.Request[apipb.ListSchedulesRequest]) (*connect.Response[apipb.ListSchedulesResponse], error) {
	cal, out := s.h.clerk.calendar(), new(apipb.ListSchedulesResponse)
	for _, name := range cal.Names() {
		v, err := cal.View(name)
		if err != nil {
			return nil, api.ToConnect(err)
		}
		doc, err := api.ToStruct(v)
		if err != nil {
			return nil, api.ToConnect(err)
		}
		out.Schedules = append(out.Schedules, doc)
	}
	return connect.NewResponse(out), nil
}

// maxUpcoming is how many of a schedule's next times are told at once.
const maxUpcoming = 1000

func (s *service) GetSchedule(_ context.Context, r *connect.Request[apipb.ScheduleRequest]) (*connect.Response[apipb.ScheduleResponse], error) {
	cal := s.h.clerk.calendar()
	out, err := scheduleOf(cal, r.Msg.Name)
	if err != nil {
		return nil, err
	}
	times, err := cal.Upcoming(r.Msg.Name, now(), min(int(r.Msg.Upcoming), maxUpcoming))
	if err != nil {
		return nil, api.ToConnect(err)
	}
	for _, t := range times {
		out.Upcoming = append(out.Upcoming, timestamppb.New(t))
	}
	return connect.NewResponse(out), nil
}

// scheduleOf is the answer about one schedule.
func scheduleOf(cal *calendar.Calendar, name string) (*apipb.ScheduleResponse, error) {
	v, err := cal.View(name)
	if err != nil {
		return nil, api.ToConnect(err)
	}
	doc, err := api.ToStruct(v)
	return &apipb.ScheduleResponse{Schedule: doc}, err
}

// tell has the calendar take an event about one schedule, and answers how that
// stands then.
func (s *service) tell(ctx context.Context, name string, ev calendar.Event) (*connect.Response[apipb.ScheduleResponse], error) {
	r, err := s.h.clerk.step(ctx, ev)
	if err != nil {
		return nil, api.ToConnect(err)
	}
	out, err := scheduleOf(s.h.clerk.calendar(), name)
	if err != nil {
		return nil, err
	}
	out.Firing = r.Firing
	return connect.NewResponse(out), nil
}

func (s *service) PauseSchedule(ctx context.Context, r *connect.Request[apipb.ScheduleRequest]) (*connect.Response[apipb.ScheduleResponse], error) {
	return s.tell(ctx, r.Msg.Name, calendar.Pause{Now: now().UnixMilli(), Name: r.Msg.Name})
}

func (s *service) ResumeSchedule(ctx context.Context, r *connect.Request[apipb.ScheduleRequest]) (*connect.Response[apipb.ScheduleResponse], error) {
	return s.tell(ctx, r.Msg.Name, calendar.Resume{Now: now().UnixMilli(), Name: r.Msg.Name})
}

func (s *service) RunSchedule(ctx context.Context, r *connect.Request[apipb.ScheduleRequest]) (*connect.Response[apipb.ScheduleResponse], error) {
	return s.tell(ctx, r.Msg.Name, calendar.Run{Now: now().UnixMilli(), Name: r.Msg.Name})
}

func (s *service) DeleteSchedule(ctx context.Context, r *connect.Request[apipb.DeleteScheduleRequest]) (*connect.Response[apipb.DeleteScheduleResponse], error) {
	_, err := s.h.clerk.step(ctx, calendar.Delete{Now: now().UnixMilli(), Name: r.Msg.Name, Force: r.Msg.Force})
	if err != nil {
		return nil, api.ToConnect(err)
	}
	return connect.NewResponse(&apipb.DeleteScheduleResponse{}), nil
}
