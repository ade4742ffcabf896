package work

import (
	"os"
	"path/filepath"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor/output"
)

// streams are where a try's process writes to.
type streams struct {
	stdout, stderr *os.File // the process's ends
	list           []*stream
	last           output.Tail // lines of stderr, or of both where they are one
}

// stream is one pipe and what becomes of it.
type stream struct {
	*output.Stream
	name string   // "stdout", "stderr"
	to   string   // as in the spec; "" for the log alone
	file *os.File // its text, if it is kept
}

// streams opens the pipes and begins to read them.
func (t *try) streams() (*streams, error) {
	s := &streams{}
	var err error
	if s.stdout, err = s.open(t, "stdout", t.body.Stdout); err != nil {
		return nil, err
	}
	if t.body.Merged() {
		s.stderr = s.stdout
		return s, nil
	}
	if s.stderr, err = s.open(t, "stderr", t.body.Stderr); err != nil {
		s.drain()
		return nil, err
	}
	return s, nil
}

func (s *streams) open(t *try, name, to string) (*os.File, error) {
	st := &stream{name: name, to: to}
	line := func(line string) { t.env.Log.Info(line) }
	if name == "stderr" || t.body.Merged() {
		line = func(line string) { t.env.Log.Info(line); s.last.Add(line) }
	}
	var err error
	if to == "" {
		st.Stream, err = output.Open(nil, line)
	} else if st.file, err = os.Create(filepath.Join(t.dir, name)); err != nil {
		err = core.Errorf(core.Failed, "keep %s: %v", name, err)
	} else if st.Stream, err = output.Open(st.file, line); err != nil {
		st.file.Close()
	}
	if err != nil {
		return nil, err
	}
	s.list = append(s.list, st)
	return st.Program(), nil
}

// handed closes this process's copies of what the child writes to.
func (s *streams) handed() {
	for _, st := range s.list {
		st.Started()
	}
}

// drain returns when everything was read. The process group must be gone. It may
// be called again.
func (s *streams) drain() {
	var all []*output.Stream
	for _, st := range s.list {
		all = append(all, st.Stream)
	}
	output.Drain(all...)
	for _, st := range s.list {
		if st.file != nil {
			_ = st.file.Close() // the second time it says that it is closed
		}
	}
}

// kept are the streams that go elsewhere than the log.
func (s *streams) kept() []*stream {
	var list []*stream
	for _, st := range s.list {
		if st.to != "" {
			list = append(list, st)
		}
	}
	return list
}

// tail is the last lines of stderr.
func (s *streams) tail() string { return s.last.String() }
