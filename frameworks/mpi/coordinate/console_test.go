package coordinate

import (
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi/spec"
	"github.com/capstan-run/capstan/frameworks/mpi/task"
)

// told is a host that keeps what it is to send.
type told struct {
	core.Host
	sent chan task.Down
}

func (h told) Send(_ string, _ int, b []byte) error {
	var d task.Down
	err := task.Decode(b, &d)
	h.sent <- d
	return err
}

// TestPassage: what an executor says to a new coordinator before it has told again
// what the last one may not have heard is not taken: to take it would be to take
// the gap before it.
func TestPassage(t *testing.T) {
	h := told{sent: make(chan task.Down, 8)}
	p := openPassage(t.Context(), &spec.Console{}, h)
	output := func(at int64) *task.Up {
		return &task.Up{Output: &task.Output{Run: 1, Rank: 2, At: at, Data: []byte("x")}}
	}
	for _, up := range []*task.Up{output(7), {Retold: true}, output(4), output(5), output(6)} {
		if !p.hear(core.Message{Gang: "main", Rank: 1}, up) {
			t.Errorf("%+v is the console's", up)
		}
	}
	if p.hear(core.Message{}, &task.Up{Holds: &task.Holds{}}) {
		t.Error("Holds is the machine's")
	}
	p.close()
	for _, want := range []int64{5, 6, 7} {
		if d := <-h.sent; d.Taken == nil || d.Taken.To != want || d.Taken.Rank != 2 {
			t.Errorf("told %+v, want taken to %d", d, want)
		}
	}
	if len(h.sent) > 0 {
		t.Errorf("told %+v besides", <-h.sent)
	}
}
