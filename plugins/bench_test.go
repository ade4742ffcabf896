package plugins

import (
	"testing"

	"github.com/capstan-run/capstan/core"
)

// BenchmarkStart is a plugin process from nothing to its first answer.
func BenchmarkStart(b *testing.B) {
	s, err := New(Config{BuiltIn: []Builtin{{Name: "actor", Args: []string{"plugin"}}}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for b.Loop() {
		p, err := s.pad.start("actor", s.plugins[0].binary)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := p.rpc.Describe(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		p.kill()
		b.StartTimer()
	}
}

// BenchmarkAttempt is an empty attempt with a spare process at hand, as on a
// warm host: the next spare is started while none is timed.
func BenchmarkAttempt(b *testing.B) {
	s, err := New(Config{BuiltIn: []Builtin{{Name: "actor", Args: []string{"plugin"}, Descriptions: []core.Description{actor{}.Describe()}}}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for b.Loop() {
		b.StopTimer()
		if err := s.Prepare("Actor"); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if _, err := s.Run(b.Context(), "Actor", attemptOf(script{}), newFakeHost()); err != nil {
			b.Fatal(err)
		}
	}
}
