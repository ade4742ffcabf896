package work

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/task"
	"github.com/capstan-run/capstan/shuffle"
)

// incarnationCheckpoints is the peer.Checkpoints of one incarnation.
type incarnationCheckpoints struct {
	*checkpoints
	incarnation int
	told        func(task.Written)

	mu       sync.Mutex
	sections map[created]section
}

var _ peer.Checkpoints = (*incarnationCheckpoints)(nil)

// created names a section by the superstep in whose part it was written.
type created struct {
	name      string
	superstep int64
}

// of is the checkpoints as one incarnation sees them.
func (c *checkpoints) of(incarnation int, from *manifest, told func(task.Written)) *incarnationCheckpoints {
	i := &incarnationCheckpoints{checkpoints: c, incarnation: incarnation, told: told, sections: map[created]section{}}
	if from != nil {
		i.learn(from)
	}
	return i
}

func (i *incarnationCheckpoints) learn(m *manifest) {
	i.mu.Lock()
	defer i.mu.Unlock()
	// Those of the part before are gone, but for what never changes.
	clear(i.sections)
	for name, s := range m.Sections {
		i.sections[created{name, s.Superstep}] = s
	}
}

func (i *incarnationCheckpoints) section(c created) (section, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	s, ok := i.sections[c]
	if !ok {
		return s, fmt.Errorf("%w: it has no section %s of superstep %d", errDamaged, c.name, c.superstep)
	}
	return s, nil
}

// Begin is peer.Checkpoints'.
func (i *incarnationCheckpoints) Begin(_ context.Context, superstep int64) (peer.Part, error) {
	k := task.Checkpoint{Incarnation: i.incarnation, Superstep: superstep}
	p := &part{incarnationCheckpoints: i, checkpoint: k, begun: time.Now(), written: map[string]*section{}}
	var err error
	p.file, err = i.create(partName(k, i.rank), i.buf)
	return p, err
}

// Open is peer.Checkpoints'.
func (i *incarnationCheckpoints) Open(ctx context.Context, superstep int64, name string) (io.ReadCloser, error) {
	s, err := i.section(created{name, superstep})
	if err != nil {
		return nil, err
	}
	f, err := i.open(ctx, s.File)
	if err != nil {
		return nil, err
	}
	return newUnframed(f, s.Number, s.Bytes), nil
}

// file is one that is being written under a name of its own, until it is whole
// (law W2).
type file struct {
	*frames
	f    *os.File
	name string
}

func (c *checkpoints) create(name string, buf []byte) (*file, error) {
	f, err := os.CreateTemp(c.dir, "new-*")
	if err != nil {
		return nil, err
	}
	return &file{frames: newFrames(f, buf), f: f, name: name}, nil
}

// finish gives the file its name.
func (f *file) finish() error {
	err := f.end()
	if err = errors.Join(err, f.f.Close()); err == nil {
		err = os.Rename(f.f.Name(), filepath.Join(filepath.Dir(f.f.Name()), f.name))
	}
	if err != nil {
		os.Remove(f.f.Name())
	}
	return err
}

func (f *file) abort() {
	f.f.Close()
	os.Remove(f.f.Name())
}

// part is a rank's part of a checkpoint that is being written: the part's file,
// and one for each section that never changes.
type part struct {
	*incarnationCheckpoints
	checkpoint task.Checkpoint
	begun      time.Time
	file       *file
	written    map[string]*section
	fixed      []*file
}

// counted is a section that is being written.
type counted struct {
	*file
	*section
}

// Write is io.Writer's.
func (c counted) Write(b []byte) (int, error) {
	n, err := c.file.Write(b)
	c.Bytes += int64(n)
	return n, err
}

// Section is peer.Part's.
func (p *part) Section(name string) (io.Writer, error) {
	s := p.written[name]
	if s == nil {
		s = p.begin(name, p.file, uint32(1+len(p.written)))
	}
	return counted{p.file, s}, p.file.turn(s.Number)
}

// Fixed is peer.Part's.
func (p *part) Fixed(name string) (io.Writer, error) {
	file := fixedName(p.checkpoint, p.rank, name)
	if s := p.written[name]; s != nil {
		for _, f := range p.fixed {
			if f.name == file {
				return counted{f, s}, nil
			}
		}
	}
	f, err := p.create(file, nil)
	if err != nil {
		return nil, err
	}
	p.fixed = append(p.fixed, f)
	s := p.begin(name, f, 1)
	return counted{f, s}, f.turn(s.Number)
}

func (p *part) begin(name string, f *file, number uint32) *section {
	s := &section{Superstep: p.checkpoint.Superstep, File: f.name, Number: number}
	p.written[name] = s
	return s
}

// Abort is peer.Part's.
func (p *part) Abort() {
	p.file.abort()
	for _, f := range p.fixed {
		f.abort()
	}
}

// Commit is peer.Part's: with its name the part is whole.
func (p *part) Commit(ctx context.Context, sections map[string]int64) error {
	m, err := p.finish(sections)
	if err != nil {
		return err
	}
	p.remember(m)
	p.learn(m)
	if err := p.toStore(ctx, m); err != nil {
		return err
	}
	p.told(task.Written{Checkpoint: p.checkpoint, Bytes: m.bytes(), Nanos: int64(time.Since(p.begun))})
	return nil
}

// finish finishes the files, the part last.
func (p *part) finish(sections map[string]int64) (*manifest, error) {
	m, err := p.manifest(sections)
	if err == nil {
		err = p.writeManifest(m)
	}
	if err != nil {
		p.Abort()
		return nil, err
	}
	p.fixed = append(p.fixed, p.file)
	for i, f := range p.fixed {
		if err := f.finish(); err != nil {
			for _, f := range p.fixed[i+1:] {
				f.abort()
			}
			return nil, err
		}
		p.added(f.name, p.checkpoint)
	}
	p.buf = p.file.buf
	return m, nil
}

// manifest says where the sections are.
func (p *part) manifest(sections map[string]int64) (*manifest, error) {
	m := &manifest{Incarnation: p.incarnation, Superstep: p.checkpoint.Superstep, Sections: map[string]section{}}
	for name, superstep := range sections {
		if s := p.written[name]; s != nil {
			m.Sections[name] = *s
			continue
		}
		s, err := p.section(created{name, superstep})
		if err != nil {
			return nil, err
		}
		m.Sections[name] = s
	}
	return m, nil
}

func (p *part) writeManifest(m *manifest) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := p.file.turn(manifestSection); err != nil {
		return err
	}
	_, err = p.file.Write(text)
	return err
}

// toStore brings the part to the store, as the durability says.
func (p *part) toStore(ctx context.Context, m *manifest) error {
	switch p.durability {
	case shuffle.DurableStore:
		return p.carry(ctx, m.checkpoint())
	case shuffle.DurableStoreAsync:
		p.uploads.Go(func() {
			if err := p.carry(p.ctx, m.checkpoint()); err != nil && p.ctx.Err() == nil {
				p.log.Warn("a checkpoint is on the disk only", "superstep", m.Superstep, "err", err)
			}
		})
	}
	return nil
}
