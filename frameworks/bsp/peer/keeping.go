package peer

import (
	"context"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
)

// Sections of a part that are the peer's own; the program's have a prefix.
const (
	sectionState    = "peer-state"
	sectionMessages = "peer-messages"
	programPrefix   = "program-"
)

// keeping takes this rank's parts of checkpoints: the program's state is copied
// at the barrier, and written while the next superstep computes.
type keeping struct {
	c     Config
	room  int64            // bytes of copies
	known map[string]int64 // sections that never change: under which superstep they lie

	mu      sync.Mutex
	current *SnapshotWriter
}

func newKeeping(c Config) *keeping {
	k := &keeping{c: c, room: c.Memory / 16, known: map[string]int64{}}
	if c.Resume != nil {
		maps.Copy(k.known, c.Resume.Sections)
	}
	return k
}

// busy reports whether a checkpoint is still being written.
func (k *keeping) busy() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.current != nil
}

// begin takes a checkpoint of the superstep that ended.
func (k *keeping) begin(p *Peer) error {
	ctx, cancel := context.WithCancel(p.ctx)
	w := &SnapshotWriter{keeping: k, step: p.step, cancel: cancel, sections: map[string]int64{}, open: map[string]Section{}, done: make(chan struct{})}
	w.moved.L = &w.mu
	k.mu.Lock()
	k.current = w
	k.mu.Unlock()
	mail := p.mail
	p.in.retain(mail)
	go func() {
		defer p.in.release(mail)
		w.run(ctx, p)
	}()
	err := k.save(p, w)
	w.finish(err)
	return err
}

func (k *keeping) save(p *Peer, w *SnapshotWriter) error {
	state, err := p.saved()
	if err != nil {
		return err
	}
	if err := w.put(sectionState, state); err != nil {
		return err
	}
	mail := p.mail
	w.queue(job{section: sectionMessages, write: mail.writeTo})
	if err := p.prog.(Keeper).Save(w); err != nil {
		return fmt.Errorf("save the program's state: %w", err)
	}
	return nil
}

// end drops what is still being written, and waits until nothing is.
func (k *keeping) end() {
	k.mu.Lock()
	w := k.current
	k.mu.Unlock()
	if w != nil {
		w.cancel()
		w.wake()
		<-w.done
	}
}

// SnapshotWriter takes a program's state. It is for the call of Save alone.
type SnapshotWriter struct {
	keeping *keeping
	step    int64
	cancel  context.CancelFunc
	done    chan struct{}

	mu       sync.Mutex
	moved    sync.Cond
	jobs     []job
	bytes    int64 // copied and not written
	whole    bool  // nothing more comes
	err      error // why it is given up
	sections map[string]int64
	open     map[string]Section // only run's goroutine
	once     []string
}

// job is a piece of a section.
type job struct {
	section string
	bytes   []byte
	write   func(io.Writer) error // instead of bytes
}

// Put appends a copy of parts to a section. It blocks while much was copied
// that is not yet written. A section's name has letters, digits and hyphens.
func (w *SnapshotWriter) Put(section string, parts ...[]byte) error {
	return w.put(programPrefix+section, parts...)
}

func (w *SnapshotWriter) put(section string, parts ...[]byte) error {
	n := 0
	for _, x := range parts {
		n += len(x)
	}
	b := make([]byte, 0, n)
	for _, x := range parts {
		b = append(b, x...)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.bytes > 0 && w.bytes+int64(n) > w.keeping.room && w.err == nil {
		w.moved.Wait()
	}
	// A checkpoint that cannot be written is dropped, and the program goes on.
	if w.err == nil {
		w.sections[section] = w.step
		w.bytes += int64(n)
		w.jobs = append(w.jobs, job{section: section, bytes: b})
		w.moved.Broadcast()
	}
	return nil
}

// Once makes a section of what write writes, which never changes. It is called
// while the program goes on, and only where no checkpoint of this run, nor the
// one it went on from, has the section already.
func (w *SnapshotWriter) Once(section string, write func(io.Writer) error) error {
	section = programPrefix + section
	if step, ok := w.keeping.known[section]; ok {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.sections[section] = step
		return nil
	}
	w.queue(job{section: section, write: write})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.once = append(w.once, section)
	return nil
}

func (w *SnapshotWriter) queue(j job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sections[j.section] = w.step
	w.jobs = append(w.jobs, j)
	w.moved.Broadcast()
}

// finish says that nothing more comes, or that the program could not save.
func (w *SnapshotWriter) finish(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.whole = true
	if w.err == nil {
		w.err = err
	}
	w.moved.Broadcast()
}

func (w *SnapshotWriter) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moved.Broadcast()
}

// run writes what comes.
func (w *SnapshotWriter) run(ctx context.Context, p *Peer) {
	err := w.write(ctx)
	if err == nil {
		err = w.keeping.c.Checkpoints.Done(ctx, w.step, w.sections)
	}
	w.mu.Lock()
	if w.err == nil {
		w.err = err
	}
	err = w.err
	w.jobs, w.bytes = nil, 0
	w.moved.Broadcast()
	w.mu.Unlock()
	switch {
	case err == nil:
		p.c.Log.Debug("checkpoint is written", "superstep", w.step)
	case ctx.Err() == nil:
		p.c.Log.Warn("a checkpoint could not be written; the job goes on without it", "superstep", w.step, "error", err)
	}
	k := w.keeping
	k.mu.Lock()
	if err == nil {
		for _, section := range w.once {
			k.known[section] = w.step
		}
	}
	k.current = nil
	k.mu.Unlock()
	w.cancel()
	close(w.done)
}

func (w *SnapshotWriter) write(ctx context.Context) error {
	defer func() {
		for _, s := range w.open {
			s.Abort()
		}
	}()
	for {
		j, ok, err := w.next(ctx)
		if err != nil {
			return err
		}
		if !ok {
			return w.commit()
		}
		if err := w.do(ctx, j); err != nil {
			return fmt.Errorf("write section %s: %w", strings.TrimPrefix(j.section, programPrefix), err)
		}
		w.mu.Lock()
		w.bytes -= int64(len(j.bytes))
		w.moved.Broadcast()
		w.mu.Unlock()
	}
}

// next waits for the next job; there is none when all were taken.
func (w *SnapshotWriter) next(ctx context.Context) (job, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.jobs) == 0 && !w.whole && ctx.Err() == nil {
		w.moved.Wait()
	}
	if w.err == nil {
		w.err = ctx.Err()
	}
	if w.err != nil || len(w.jobs) == 0 {
		return job{}, false, w.err
	}
	j := w.jobs[0]
	w.jobs[0] = job{}
	w.jobs = w.jobs[1:]
	return j, true, nil
}

func (w *SnapshotWriter) do(ctx context.Context, j job) error {
	s, ok := w.open[j.section]
	if !ok {
		var err error
		if s, err = w.keeping.c.Checkpoints.Create(ctx, w.step, j.section); err != nil {
			return err
		}
		w.open[j.section] = s
	}
	if j.write != nil {
		return j.write(s)
	}
	_, err := s.Write(j.bytes)
	return err
}

func (w *SnapshotWriter) commit() error {
	for _, name := range sortedKeys(w.open) {
		if err := w.open[name].Commit(); err != nil {
			return fmt.Errorf("commit section %s: %w", strings.TrimPrefix(name, programPrefix), err)
		}
		delete(w.open, name)
	}
	return nil
}
