package mesh

import "slices"

// leave ends what can come from a rank, after all that has come from it.
func (in *inbox) leave(rank int, why *PeerError) {
	in.mu.Lock()
	defer in.mu.Unlock()
	s := &in.sources[rank]
	if s.gone != nil {
		return
	}
	in.empty(s)
	s.gone = why
	anyErr := in.anyError()
	in.waiters = slices.DeleteFunc(in.waiters, func(w *waiter) bool {
		switch {
		case w.from == rank:
			w.err = why
		case w.from == Any && anyErr != nil && !w.spare:
			w.err = anyErr
		default:
			return false
		}
		w.wake()
		return true
	})
	in.arrivals.Add(1)
}

// empty takes all of s's ring, the window notwithstanding: nothing more can be
// added to it.
func (in *inbox) empty(s *source) {
	// In a closed mesh nobody asks any more.
	if s.ring == nil || in.shut {
		return
	}
	for s.ring.last(); !s.broken; {
		m, err := s.ring.take()
		if m == nil || err != nil {
			return
		}
		in.number(m)
		if w := in.waiterFor(m); w != nil {
			in.give(w, m)
		} else {
			in.enqueue(s, m)
		}
	}
}

// anyError is why a receiver from Any must not wait: a rank is lost and not
// excused, or all others are gone.
func (in *inbox) anyError() *PeerError {
	var last *PeerError
	alive := len(in.sources) == 1
	for i := range in.sources {
		switch s := &in.sources[i]; {
		case s.self:
		case s.gone == nil:
			alive = true
		case s.gone.isLost() && !s.excuse:
			return s.gone
		default:
			last = s.gone
		}
	}
	if alive {
		return nil
	}
	return last
}

// forgive lets receivers from Any do without a rank.
func (in *inbox) forgive(rank int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.sources[rank].excuse = true
}

// close lets receivers know that the mesh is closed.
func (in *inbox) close() {
	in.mu.Lock()
	in.shut = true
	in.mu.Unlock()
	close(in.closing)
}

// discard releases what nobody asked for.
func (in *inbox) discard() {
	in.mu.Lock()
	defer in.mu.Unlock()
	for i := range in.sources {
		s := &in.sources[i]
		for _, q := range s.queues {
			for _, m := range q {
				m.Release()
			}
		}
		s.queues = nil
		if s.ring == nil {
			continue
		}
		for s.ring.last(); !s.broken; {
			m, err := s.ring.take()
			if m == nil || err != nil {
				break
			}
			m.Release()
		}
	}
}
