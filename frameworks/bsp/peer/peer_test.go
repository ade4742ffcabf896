package peer_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/peer/peertest"
)

var sizes = []int{1, 2, 3, 5, 8}

func program(f peer.Func) func() peer.Program { return func() peer.Program { return f } }

// TestMessages sends messages of many lengths and checks their order.
func TestMessages(t *testing.T) {
	for _, link := range peertest.Links {
		for _, size := range sizes {
			t.Run(fmt.Sprint(link, size), func(t *testing.T) {
				peertest.Gang{Size: size, Program: program(exchange), Link: link}.Run(t)
			})
		}
	}
}

// message is the nth of those that a rank sends another in a superstep.
func message(step int64, from, to, n int) []byte {
	length := []int{0, 1, 8, 8, 8, 100, 5000, 70000, 300000}[(n+from+to)%9]
	b := slices.Repeat([]byte(fmt.Sprintf("%d:%d>%d#%d ", step, from, to, n)), length/8+1)
	return b[:length]
}

func exchange(ctx context.Context, p *peer.Peer) error {
	perStep := 9 + 32/p.Size()
	for step := range int64(4) {
		for n := range perStep {
			for to := range p.Size() {
				msg := message(step, p.Rank(), to, n)
				var err error
				if n%3 == 0 {
					err = p.SendBlock(to, uint32(n), msg[:len(msg)/2], msg[len(msg)/2:])
				} else {
					err = p.Send(to, msg)
				}
				if err != nil {
					return err
				}
				clear(msg) // it was copied
			}
		}
		if err := p.Sync(ctx); err != nil {
			return err
		}
		if p.Superstep() != step+1 {
			return fmt.Errorf("superstep %d after %d", p.Superstep(), step)
		}
		var want []string
		for from := range p.Size() {
			for n := range perStep {
				want = append(want, fmt.Sprintf("%d %v %d %s", from, n%3 == 0, n, message(step, from, p.Rank(), n)))
			}
		}
		if err := sameMail(p, want); err != nil {
			return err
		}
	}
	return nil
}

// sameMail compares blocks and messages, each in order.
func sameMail(p *peer.Peer, want []string) error {
	var blocks, messages []string
	for _, w := range want {
		if f := strings.SplitN(w, " ", 4); f[1] == "true" {
			blocks = append(blocks, f[0]+" "+f[2]+" "+f[3])
		} else {
			messages = append(messages, f[0]+" "+f[3])
		}
	}
	i := 0
	for b := range p.Blocks() {
		if got := fmt.Sprintf("%d %d %s", b.From, b.Kind, b.Data); i >= len(blocks) || got != blocks[i] {
			return fmt.Errorf("block %d is %.40q", i, got)
		}
		i++
	}
	j := 0
	for from, m := range p.Messages() {
		if got := fmt.Sprintf("%d %s", from, m); j >= len(messages) || got != messages[j] {
			return fmt.Errorf("message %d is %.40q, want %.40q", j, got, messages[j])
		}
		j++
	}
	if i != len(blocks) || j != len(messages) {
		return fmt.Errorf("%d blocks and %d messages, want %d and %d", i, j, len(blocks), len(messages))
	}
	return nil
}

// TestHalt counts down on each rank and ends when all have.
func TestHalt(t *testing.T) {
	r := peertest.Run(t, 3, program(func(ctx context.Context, p *peer.Peer) error {
		for !p.Halted() {
			if p.Superstep() >= int64(2*p.Rank()) {
				p.VoteToHalt()
			}
			if p.Superstep() == 6 {
				if err := p.Send(0, []byte("once more")); err != nil {
					return err
				}
			}
			if err := p.Sync(ctx); err != nil {
				return err
			}
		}
		p.Count("supersteps", p.Superstep())
		return nil
	}))
	// Rank 2 votes from superstep 4 on, in which all do.
	if got := r.Counters["supersteps"]; got != 3*5 {
		t.Errorf("%d supersteps on 3 ranks, want 15", got)
	}
}

// TestAggregators checks each kind against what it must be.
func TestAggregators(t *testing.T) {
	for _, size := range sizes {
		peertest.Run(t, size, program(func(ctx context.Context, p *peer.Peer) error {
			n := int64(p.Size())
			sum, least, most := peer.Sum[float64](p, "sum"), peer.Min[int32](p, "min"), peer.Max[uint8](p, "max")
			all, some := peer.All(p, "all"), peer.Any(p, "any")
			total := peer.Sum[int64](p, "total").Sticky()
			names := peer.Custom(p, "names", nil, func(a, b []string) []string { return append(a, b...) }, peer.JSON[[]string]())
			if least.Value() != 1<<31-1 || most.Value() != 0 || !all.Value() || some.Value() || names.Value() != nil {
				return errors.New("wrong before the first superstep")
			}
			for step := range int64(3) {
				sum.Add(0.5)
				sum.Add(float64(p.Rank()))
				least.Add(-int32(p.Rank()))
				most.Add(uint8(p.Rank() + 200))
				total.Add(1)
				all.Add(step == 1 || p.Rank() != p.Size()-1)
				some.Add(step == 1 && p.Rank() == 0)
				names.Add([]string{fmt.Sprint(p.Rank())})
				if err := p.Sync(ctx); err != nil {
					return err
				}
				var want []string
				for r := range n {
					want = append(want, fmt.Sprint(r))
				}
				if sum.Value() != float64(n)/2+float64(n*(n-1)/2) || least.Value() != -int32(n-1) || most.Value() != uint8(n-1+200) ||
					all.Value() != (step == 1) || some.Value() != (step == 1) || total.Value() != n*(step+1) ||
					!slices.Equal(names.Value(), want) {
					return fmt.Errorf("superstep %d: %v %v %v %v %v %v %v", step, sum.Value(), least.Value(), most.Value(), all.Value(), some.Value(), total.Value(), names.Value())
				}
			}
			if err := p.Sync(ctx); err != nil {
				return err
			}
			if sum.Value() != 0 || total.Value() != 3*n {
				return fmt.Errorf("without Add: %v, sticky %v", sum.Value(), total.Value())
			}
			return nil
		}))
	}
}

// TestFailure has one rank's program fail while the others wait or compute.
func TestFailure(t *testing.T) {
	for n := range 9 {
		rank, link := n/3, peertest.Links[n%3]
		_, err := peertest.Gang{Size: 3, Link: link, Program: program(func(ctx context.Context, p *peer.Peer) error {
			if err := p.Sync(ctx); err != nil {
				return err
			}
			if p.Rank() == rank {
				return errors.New("no such vertex")
			}
			if p.Rank() == (rank+1)%3 {
				<-ctx.Done() // a computation that looks at ctx ends at once
			}
			err := p.Sync(ctx)
			var other *peer.RankError
			if !errors.As(err, &other) || other.Rank != rank || other.Superstep != 1 || other.Text != "no such vertex" {
				t.Errorf("rank %d sees %v", p.Rank(), err)
			}
			return err
		})}.Try(t)
		if err == nil || !strings.Contains(err.Error(), "no such vertex") {
			t.Errorf("the gang ended with %v", err)
		}
	}
}

// TestUneven has ranks that call Sync more often than others.
func TestUneven(t *testing.T) {
	for rank := range 2 {
		_, err := peertest.Gang{Size: 2, Program: program(func(ctx context.Context, p *peer.Peer) error {
			if p.Rank() == rank {
				return nil
			}
			return p.Sync(ctx)
		})}.Try(t)
		if err == nil || !strings.Contains(err.Error(), "call Sync equally often") {
			t.Errorf("the gang ended with %v", err)
		}
	}
}

// walk is a program with state: each rank passes a growing sum on, and writes
// a row now and then.
type walk struct {
	steps int64
	sum   uint64
	table []byte // never changes
}

func (w *walk) Run(ctx context.Context, p *peer.Peer) error {
	if p.Superstep() == 0 {
		w.sum, w.table = uint64(p.Rank()), []byte{3, 5, 7}
	}
	seen := peer.Sum[float64](p, "seen")
	trail := peer.Sum[float64](p, "trail").Sticky()
	for p.Superstep() < w.steps {
		for from, msg := range p.Messages() {
			w.sum = w.sum*31 + binary.LittleEndian.Uint64(msg) + uint64(from)
		}
		for b := range p.Blocks() {
			w.sum += uint64(len(b.Data)) + uint64(b.Data[len(b.Data)-1])
		}
		w.sum += uint64(seen.Value()*1e6) + uint64(w.table[p.Superstep()%3])
		for to := range p.Size() {
			if err := p.Send(to, binary.LittleEndian.AppendUint64(nil, w.sum+uint64(to))); err != nil {
				return err
			}
		}
		if err := p.SendBlock((p.Rank()+1)%p.Size(), 1, slices.Repeat([]byte{byte(w.sum)}, 40000)); err != nil {
			return err
		}
		seen.Add(1 / float64(w.sum%1000+1))
		trail.Add(seen.Value() / 3)
		if p.Superstep()%3 == 1 {
			if err := p.WriteKV([]byte(fmt.Sprint(p.Superstep())), []byte(fmt.Sprint(w.sum, trail.Value()))); err != nil {
				return err
			}
		}
		p.Count("steps", 1)
		if err := p.Sync(ctx); err != nil {
			return err
		}
	}
	return p.WriteKV([]byte("end"), []byte(fmt.Sprint(w.sum, trail.Value())))
}

// TestRecords sends records of two schemas, one with a dictionary.
func TestRecords(t *testing.T) {
	words := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	schemas := []*arrow.Schema{
		arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "name", Type: arrow.BinaryTypes.String, Nullable: true}}, nil),
		arrow.NewSchema([]arrow.Field{{Name: "word", Type: words}}, nil),
	}
	docs := []string{`[{"id":1,"name":"a"},{"id":%d,"name":null}]`, `[{"word":"x"},{"word":"y%d"},{"word":"x"}]`}
	r := peertest.Run(t, 3, program(func(ctx context.Context, p *peer.Peer) error {
		for i := range 4 {
			rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, schemas[i%2], strings.NewReader(fmt.Sprintf(docs[i%2], p.Rank())))
			if err != nil {
				return err
			}
			err = p.SendRecord((p.Rank()+1)%p.Size(), rec.NewSlice(1, rec.NumRows()))
			rec.Release()
			if err != nil {
				return err
			}
		}
		if err := p.Sync(ctx); err != nil {
			return err
		}
		for from, rec := range p.Records() {
			if from != (p.Rank()+2)%3 {
				return fmt.Errorf("a record from rank %d", from)
			}
			if err := p.WriteRecord(rec); err != nil {
				return err
			}
		}
		return nil
	}))
	for rank, rows := range r.Rows {
		from := (rank + 2) % 3
		once := []peertest.Row{{Value: fmt.Sprintf(`{"id":%d,"name":null}`, from)}, {Value: fmt.Sprintf(`{"word":"y%d"}`, from)}, {Value: `{"word":"x"}`}}
		if want := append(once, once...); !slices.Equal(rows, want) {
			t.Errorf("rank %d has %v, want %v", rank, rows, want)
		}
	}
}

// TestSpill receives many times what a peer may hold, and has senders that
// compute all the while: nobody waits for them, and the order stays.
func TestSpill(t *testing.T) {
	for _, link := range peertest.Links {
		t.Run(link.String(), func(t *testing.T) {
			const blocks, size = 24, 1 << 18
			gang := peertest.Gang{Size: 3, Link: link, Program: program(func(ctx context.Context, p *peer.Peer) error {
				block := make([]byte, size)
				for range 3 {
					for n := range blocks {
						for to := range p.Size() {
							block[0], block[size-1] = byte(n), byte(p.Rank())
							if err := p.SendBlock(to, uint32(n), block); err != nil {
								return err
							}
							if err := p.Send(to, block[:1]); err != nil {
								return err
							}
						}
					}
					if err := p.Sync(ctx); err != nil {
						return err
					}
					n := 0
					for b := range p.Blocks() {
						if len(b.Data) != size || b.Data[0] != byte(n%blocks) || b.Data[size-1] != byte(b.From) || b.From != n/blocks {
							return fmt.Errorf("block %d from rank %d is another", n, b.From)
						}
						n++
					}
					if n != blocks*p.Size() {
						return fmt.Errorf("%d blocks", n)
					}
					n = 0
					for from, msg := range p.Messages() {
						if from != n/blocks || msg[0] != byte(n%blocks) {
							return fmt.Errorf("message %d is another", n)
						}
						n++
					}
				}
				return nil
			}), Config: func(_ int, c *peer.Config) { c.Memory = 16 << 20 }}
			spilled := int64(0)
			for _, s := range gang.Run(t).Supersteps {
				spilled += s.Spilled
			}
			// 18 MiB come in each superstep, and a quarter of 16 may be held.
			if spilled < 3*(18-4)<<20 {
				t.Errorf("%d bytes went to disk", spilled)
			}
		})
	}
}

// TestLongMessages: what memory has no room for at both its ends is refused, and
// what it has room for arrives, whatever the links.
func TestLongMessages(t *testing.T) {
	const memory = 16 << 20
	send := map[string]func(p *peer.Peer, b []byte) error{
		"message": func(p *peer.Peer, b []byte) error { return p.Send(1-p.Rank(), b) },
		"block":   func(p *peer.Peer, b []byte) error { return p.SendBlock(1-p.Rank(), 7, b) },
	}
	for name, most := range map[string]int{"message": memory / 8, "block": memory / 4} {
		for _, n := range []int{most, most + 1} {
			got := make([]int, 2)
			g := peertest.Gang{Size: 2, Link: peertest.BySharedMemory,
				Config: func(_ int, c *peer.Config) { c.Memory = memory },
				Program: func() peer.Program {
					return peer.Func(func(ctx context.Context, p *peer.Peer) error {
						if err := send[name](p, make([]byte, n)); err != nil {
							return err
						}
						if err := p.Sync(ctx); err != nil {
							return err
						}
						for _, msg := range p.Messages() {
							got[p.Rank()] += len(msg)
						}
						for b := range p.Blocks() {
							got[p.Rank()] += len(b.Data)
						}
						return nil
					})
				}}
			_, err := g.Try(t)
			if n == most && (err != nil || got[0] != n || got[1] != n) {
				t.Errorf("%s of %d bytes: %v came, %v", name, n, got, err)
			}
			if e := core.AsError(err); n > most && (e == nil || !strings.Contains(e.Remedy, "in pieces")) {
				t.Errorf("%s of %d bytes: %v", name, n, err)
			}
		}
	}
}
