package predict

// Limit is the number of users and names of which a History is sure to
// remember the last run times. It holds at most twice as many.
const Limit = 1 << 16

// History is the run times of the past. The zero value is empty and ready. It
// is not safe for concurrent use.
type History struct {
	// Two generations: what is used moves to young, and when young is full it
	// becomes old, and old is forgotten (law P3).
	young, old map[subject]recent
}

// subject is a user, or with a name, a user's jobs of that name.
type subject struct{ user, name string }

// recent is the last two run times, in milliseconds. With one, both are it.
type recent [2]int64

// Ended tells that a gang of user and name ran for took milliseconds. A gang
// that somebody else ended says nothing of its run time: leave it out.
func (h *History) Ended(user, name string, took int64) {
	took = max(took, 1)
	h.add(subject{user: user}, took)
	if name != "" {
		h.add(subject{user, name}, took)
	}
}

// Predict is how long a gang of user and name will run, in milliseconds.
// walltime is its limit; 0 for none. It is 0 if neither a run nor a limit is
// known.
func (h *History) Predict(user, name string, walltime int64) int64 {
	r, ok := h.find(subject{user, name})
	if !ok && name != "" {
		r, ok = h.find(subject{user: user})
	}
	if !ok {
		return walltime
	}
	return within(r[0]/2+r[1]/2+(r[0]%2+r[1]%2)/2, walltime)
}

// Extend is the prediction for a gang that has run for ran milliseconds, longer
// than was predicted: the guess is doubled until it lies ahead again.
func Extend(predicted, ran, walltime int64) int64 {
	predicted = max(predicted, 1)
	for predicted <= ran && predicted <= longest/2 {
		predicted *= 2
	}
	return within(predicted, walltime)
}

// longest is what a doubled prediction stays below.
const longest = int64(1) << 61

func within(predicted, walltime int64) int64 {
	if walltime > 0 {
		predicted = min(predicted, walltime)
	}
	return max(predicted, 1)
}

func (h *History) find(s subject) (recent, bool) {
	if r, ok := h.young[s]; ok {
		return r, true
	}
	r, ok := h.old[s]
	return r, ok
}

func (h *History) add(s subject, took int64) {
	r, ok := h.find(s)
	if !ok {
		r = recent{took, took}
	}
	if len(h.young) >= Limit || h.young == nil {
		h.young, h.old = make(map[subject]recent), h.young
	}
	h.young[s] = recent{r[1], took}
}
