package column

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/peer/peertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const kindTest = 900

// long is a column of more than one piece, empty, or short, by sender and receiver.
func long(from, to int) []uint32 {
	column := make([]uint32, []int{0, 3, 2*pieceBytes/4 + 5}[(from+2*to)%3])
	for i := range column {
		column[i] = uint32(i*7 + from + 100*to)
	}
	return column
}

func TestColumnsArriveWhole(t *testing.T) {
	for _, size := range []int{1, 2, 3, 5} {
		peertest.Run(t, size, func() peer.Program {
			return peer.Func(func(ctx context.Context, p *peer.Peer) error {
				for to := range size {
					if err := Send(p, to, kindTest, long(p.Rank(), to)); err != nil {
						return err
					}
					if err := Send(p, to, kindTest+1, []float64{1}); err != nil {
						return err
					}
				}
				if err := p.Sync(ctx); err != nil {
					return err
				}
				got := make([][]uint32, size)
				if err := Each(p, kindTest, func(from, at int, values []uint32) error {
					if at != len(got[from]) {
						return fmt.Errorf("a piece of rank %d begins at %d, not %d", from, at, len(got[from]))
					}
					got[from] = append(got[from], values...)
					return nil
				}); err != nil {
					return err
				}
				for from, column := range got {
					if !slices.Equal(column, long(from, p.Rank())) {
						return fmt.Errorf("rank %d has %d values of rank %d, not what was sent", p.Rank(), len(column), from)
					}
				}
				return nil
			})
		})
	}
}

func TestEveryoneHearsWhatWasSaid(t *testing.T) {
	const size = 3
	peertest.Run(t, size, func() peer.Program {
		return peer.Func(func(ctx context.Context, p *peer.Peer) error {
			if err := Say(p, int64(-10*p.Rank())); err != nil {
				return err
			}
			if err := p.Sync(ctx); err != nil {
				return err
			}
			heard, err := Heard(p)
			if err == nil && !slices.Equal(heard, []int64{0, -10, -20}) {
				err = fmt.Errorf("heard %v", heard)
			}
			return err
		})
	})
}
