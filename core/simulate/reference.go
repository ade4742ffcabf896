package simulate

// The policies below are for comparison. They are written to be obviously
// right, not fast, and know nothing of the kernel.

// fcfs is strict order of arrival: nobody passes anybody.
type fcfs struct{}

func (fcfs) pass(s *site) {
	for len(s.queue) > 0 && s.queue[0].Job.Width() <= s.free {
		s.start(s.queue[0])
	}
}

// order is a key of waiting jobs, the smallest first.
type order func(*site, *entry) int64

func byArrival(_ *site, e *entry) int64  { return int64(e.number) }
func byWalltime(_ *site, e *entry) int64 { return e.Job.Request.Walltime }
func byUsage(s *site, e *entry) int64    { return s.usage.of(e.Job.Request.User, s.now) }

// byShare is the use a user would have come to with the job: fair share that
// lets the short and narrow go first.
func byShare(s *site, e *entry) int64 {
	return byUsage(s, e) + e.Job.Width()*e.Job.Request.Walltime
}

// easy starts jobs in the order of heads until one does not fit; that one gets
// a reservation. The others start in the order of fills if that does not delay
// it (Lifka 1995; Mu'alem and Feitelson 2001).
type easy struct{ heads, fills order }

func (p easy) pass(s *site) {
	line := by(s.queue, func(e *entry) int64 { return p.heads(s, e) })
	for len(line) > 0 && line[0].Job.Width() <= s.free {
		s.start(line[0])
		line = line[1:]
	}
	if len(line) == 0 {
		return
	}
	head := line[0].Job
	free := s.profile()
	free.take(free.earliest(head.Width(), head.Request.Walltime), head.Width(), head.Request.Walltime)
	for _, e := range by(line[1:], func(e *entry) int64 { return p.fills(s, e) }) {
		if free.earliest(e.Job.Width(), e.Job.Request.Walltime) == s.now {
			free.take(s.now, e.Job.Width(), e.Job.Request.Walltime)
			s.start(e)
		}
	}
}

// conservative gives every waiting job a reservation, in order of arrival, and
// starts those whose time is now.
type conservative struct{}

func (conservative) pass(s *site) {
	free := s.profile()
	for _, e := range by(s.queue, func(e *entry) int64 { return int64(e.number) }) {
		start := free.earliest(e.Job.Width(), e.Job.Request.Walltime)
		free.take(start, e.Job.Width(), e.Job.Request.Walltime)
		e.quote(start)
		if start == s.now {
			s.start(e)
		}
	}
}
