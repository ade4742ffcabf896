package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
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
	spare   [][]byte // for the copies of checkpoints to come, at most room together
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
	w := &SnapshotWriter{keeping: k, step: p.step, cancel: cancel, sections: map[string]int64{}, done: make(chan struct{})}
	w.moved.L = &w.mu
	k.mu.Lock()
	k.current = w
	k.mu.Unlock()
	go w.run(ctx, p)
	err := errSave // until it returns, which a panic prevents
	defer func() { w.finish(err) }()
	err = k.save(p, w)
	return err
}

var errSave = errors.New("the program did not save its state")

func (k *keeping) save(p *Peer, w *SnapshotWriter) error {
	state, err := p.saved()
	if err != nil {
		return err
	}
	if err := w.put(sectionState, state); err != nil {
		return err
	}
	if err := p.prog.(Keeper).Save(w); err != nil {
		return fmt.Errorf("save the program's state: %w", err)
	}
	if !w.unread {
		w.mail = p.mail
		p.in.retain(p.mail)
		w.queue(job{section: sectionMessages, write: p.mail.writeTo})
	}
	return nil
}

// copied returns a copy of parts.
func (k *keeping) copied(parts [][]byte) []byte {
	n := 0
	for _, x := range parts {
		n += len(x)
	}
	b := k.buffer(n)
	for _, x := range parts {
		b = append(b, x...)
	}
	return b
}

// buffer is an empty slice for n bytes: one that was used before, if it is not
// much too long.
func (k *keeping) buffer(n int) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, b := range k.spare {
		if cap(b) >= n && cap(b)/2 <= n {
			k.spare = slices.Delete(k.spare, i, i+1)
			return b[:0]
		}
	}
	return make([]byte, 0, n)
}

// mostSpare is how many copies' memory is kept.
const mostSpare = 8

// reuse keeps a copy's memory, in the place of the oldest where there is no room.
func (k *keeping) reuse(b []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.spare = append(k.spare, b)
	held := int64(0)
	for _, b := range k.spare {
		held += int64(cap(b))
	}
	for held > k.room || len(k.spare) > mostSpare {
		held -= int64(cap(k.spare[0]))
		k.spare = slices.Delete(k.spare, 0, 1)
	}
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
	once     []string
	unread   bool  // the messages are not kept
	mail     *mail // is let go when it is written; nil where it is not kept
}

// job is a piece of a section.
type job struct {
	section string
	fixed   bool
	bytes   []byte
	write   func(io.Writer) error // instead of bytes
}

// Put appends a copy of parts to a section. It blocks while much was copied
// that is not yet written. A section's name has letters, digits and hyphens.
func (w *SnapshotWriter) Put(section string, parts ...[]byte) error {
	return w.put(programPrefix+section, parts...)
}

func (w *SnapshotWriter) put(section string, parts ...[]byte) error {
	b := w.keeping.copied(parts)
	n := int64(len(b))
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.bytes > 0 && w.bytes+n > w.keeping.room && w.err == nil {
		w.moved.Wait()
	}
	// A checkpoint that cannot be written is dropped, and the program goes on.
	if w.err == nil {
		w.sections[section] = w.step
		w.bytes += n
		w.jobs = append(w.jobs, job{section: section, bytes: b})
		w.moved.Broadcast()
	}
	return nil
}

// WithoutMessages says that the program does not read the messages of the
// superstep that ended when it goes on from here: they are not kept, and it finds
// none.
func (w *SnapshotWriter) WithoutMessages() { w.unread = true }

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
	w.queue(job{section: section, fixed: true, write: write})
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
	w.mu.Lock()
	for !w.whole { // the program still saves
		w.moved.Wait()
	}
	w.jobs, w.bytes = nil, 0
	w.mu.Unlock()
	switch {
	case err == nil:
		p.c.Log.Debug("checkpoint is written", "superstep", w.step)
	case ctx.Err() == nil:
		p.c.Log.Warn("a checkpoint could not be written; the job goes on without it", "superstep", w.step, "error", err)
	}
	if w.mail != nil {
		p.in.release(w.mail)
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

// write writes the part. Its error is noted, so that Put no longer waits.
func (w *SnapshotWriter) write(ctx context.Context) (err error) {
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.err == nil {
			w.err = err
		}
		w.moved.Broadcast()
	}()
	part, err := w.keeping.c.Checkpoints.Begin(ctx, w.step)
	if err != nil {
		return err
	}
	if err := w.fill(ctx, part); err != nil {
		part.Abort()
		return err
	}
	return part.Commit(ctx, w.sections)
}

func (w *SnapshotWriter) fill(ctx context.Context, part Part) error {
	for {
		j, ok, err := w.next(ctx)
		if err != nil || !ok {
			return err
		}
		if err := j.do(part); err != nil {
			return fmt.Errorf("write section %s: %w", strings.TrimPrefix(j.section, programPrefix), err)
		}
		if j.bytes == nil {
			continue
		}
		w.mu.Lock()
		w.bytes -= int64(len(j.bytes))
		w.moved.Broadcast()
		w.mu.Unlock()
		w.keeping.reuse(j.bytes)
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

func (j *job) do(part Part) error {
	begin := part.Section
	if j.fixed {
		begin = part.Fixed
	}
	s, err := begin(j.section)
	if err != nil {
		return err
	}
	if j.write != nil {
		return j.write(s)
	}
	_, err = s.Write(j.bytes)
	return err
}
