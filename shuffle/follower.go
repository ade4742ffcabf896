package shuffle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/shuffle/block"
)

// Receiver returns what a [Sender] in the producer's process was given, in that
// order. It waits for the next, or until ctx ends; another error says that no
// more will come. A line of package mesh is one.
type Receiver interface {
	Recv(ctx context.Context) ([]byte, error)
}

// Follow makes l the consumer's side of a producer in another process of this
// host, whose [Announcer] speaks by from. The readers of l, made before, then
// read the producer's runs where they lie, in its spill file, which is looked
// for in the directories of src.Local: that of the producer's objects, or its
// Scratch, must be among them. Without it, as on another host, they wait for
// the commit.
//
// Follow returns when the producer ended: nil after a commit. It takes
// announcements however slow the readers are, so that they never stand in the
// way of what else the link carries. A producer that aborts, is lost, or makes
// no sense is [ErrAborted], here and for the readers; what a lost one has left
// in src.Local is removed (law L7). If it has committed all the same, which the
// control plane knows, its object is read from the start. When ctx ends its
// cause is returned, here and to the readers.
//
// The schema is the control plane's: another one announced is an error.
func (l *Live) Follow(ctx context.Context, src *Source, from Receiver, schema *arrow.Schema) error {
	f := follower{live: l, src: src}
	if err := f.begin(schema); err != nil {
		return fmt.Errorf("follow an exchange producer: %w", err)
	}
	err := f.follow(ctx, from)
	if err == nil {
		return nil
	}
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case !errors.Is(err, ErrAborted):
		f.remove()
		err = fmt.Errorf("%w: %w", ErrAborted, err)
	}
	l.finish(nil, err)
	return err
}

// follower is a Follow under way.
type follower struct {
	live    *Live
	src     *Source
	schema  []byte
	opening *opening
	next    int    // number of the next run
	file    string // the producer's spill file
}

func (f *follower) begin(schema *arrow.Schema) error {
	var err error
	if f.schema, err = block.MarshalSchema(schema); err != nil {
		return err
	}
	l := f.live
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.begun || len(l.away) > 0 {
		return errLiveTaken
	}
	l.begun, l.schema = true, schema
	return nil
}

func (f *follower) follow(ctx context.Context, from Receiver) error {
	for {
		b, err := from.Recv(ctx)
		if err != nil {
			return err
		}
		if len(b) == 0 {
			return errAnnouncement
		}
		kind, b := b[0], b[1:]
		if (kind == announceOpening) != (f.opening == nil) {
			return errAnnouncement
		}
		switch kind {
		case announceOpening:
			err = f.open(b)
		case announceRun:
			err = f.run(b)
		case announceCommitted:
			return f.commit(b)
		case announceAborted:
			return ErrAborted
		default:
			err = errAnnouncement
		}
		if err != nil {
			return err
		}
	}
}

func (f *follower) open(b []byte) error {
	o, err := unmarshalOpening(b)
	if err != nil {
		return err
	}
	if o.total != len(f.live.parts) {
		return fmt.Errorf("the producer has %d partitions, want %d", o.total, len(f.live.parts))
	}
	if string(o.schema) != string(f.schema) {
		return errors.New("the producer has another schema")
	}
	codec, err := block.ParseCodec(o.codec)
	if err != nil {
		return err
	}
	f.opening = &o
	l := f.live
	l.mu.Lock()
	defer l.mu.Unlock()
	l.codec = codec
	return nil
}

func (f *follower) run(b []byte) error {
	r, err := unmarshalAnnounced(b)
	if err != nil {
		return err
	}
	if r.number != f.next || len(r.pieces) != f.opening.hi-f.opening.lo || !isSpill(r.file) || f.file != "" && f.file != r.file {
		return errAnnouncement
	}
	f.next++
	f.file = r.file
	for i := range r.pieces {
		if x := &r.pieces[i]; x.length > 0 {
			f.live.take(f.opening.lo+i, r.file, x)
		}
	}
	return nil
}

func (f *follower) commit(b []byte) error {
	x := new(Index)
	if err := x.UnmarshalBinary(b); err != nil {
		return err
	}
	o := f.opening
	if string(x.Schema) != string(f.schema) || x.Total != o.total || x.First != o.lo || len(x.Partitions) != o.hi-o.lo {
		return fmt.Errorf("%w: an index of another object", errAnnouncement)
	}
	f.live.finish(x, nil)
	return nil
}

// remove takes the name from the spill file of a producer that is lost. Who
// has it open reads on.
func (f *follower) remove() {
	if f.file == "" {
		return
	}
	for _, dir := range f.src.Local {
		_ = os.Remove(filepath.Join(dir, f.file)) // it is gone, or not in dir
	}
}

// isSpill reports whether name may be that of a spill file.
func isSpill(name string) bool {
	return strings.HasPrefix(name, spillPrefix) && name == filepath.Base(name)
}
