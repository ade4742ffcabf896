package bsp_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp"
)

// pi is Hama's first example: each peer throws darts at a square and tells rank
// 0 how many hit the circle.
var pi = bsp.Job{
	Name: "pi",
	Gang: core.Gang{Size: 4},
	Program: bsp.Func(func(ctx context.Context, p *bsp.Peer) error {
		random := rand.New(rand.NewPCG(1, uint64(p.Rank())))
		const darts = 100_000
		hits := 0
		for range darts {
			if x, y := random.Float64(), random.Float64(); x*x+y*y < 1 {
				hits++
			}
		}
		if err := bsp.Send(p, 0, 4*float64(hits)/darts); err != nil {
			return err
		}
		if err := p.Sync(ctx); err != nil {
			return err
		}
		var sum, n float64
		for _, estimate := range bsp.Messages[float64](p) {
			sum, n = sum+estimate, n+1
		}
		if n == 0 {
			return nil // another rank than 0
		}
		return p.WriteKV([]byte("pi"), fmt.Appendf(nil, "%.1f of %v peers", math.Round(10*sum/n)/10, n))
	}),
}

func Example() {
	result, err := bsp.Local(context.Background(), pi)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(result.Text())
	// Output: pi	3.1 of 4 peers
}
