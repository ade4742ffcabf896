package schedule

import (
	"context"
	"fmt"
	"math"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// scaling measures what a decision costs on ever larger clusters, and with ever
// longer lines, and fits the order: the exponent of a power law, by least
// squares of the logarithms.
func scaling(ctx context.Context, c Config, r *report) error {
	var nodes, line, costs []float64
	for n := 100; n <= c.part(100_000, 1000); n *= 10 {
		took, err := decision(ctx, n, 0)
		if err != nil {
			return err
		}
		r.add(Row{What: fmt.Sprintf("life of a gang of 4 on %d nodes", n), Figure: took, Unit: "µs"})
		nodes, costs = append(nodes, float64(n)), append(costs, took)
	}
	r.add(Row{What: "order in nodes, from 100 on", Figure: order(nodes, costs), Unit: "exponent", Note: "CPU; 0 is constant, 1 linear"})
	costs = nil
	for n := 10; n <= c.part(1_000_000, 1000); n *= 10 {
		took, err := decision(ctx, 1000, n)
		if err != nil {
			return err
		}
		r.add(Row{What: fmt.Sprintf("life of a gang of 4 before %d that wait", n), Figure: took, Unit: "µs"})
		line, costs = append(line, float64(n)), append(costs, took)
	}
	r.add(Row{What: "order in gangs that wait, from 10 on", Figure: order(line, costs), Unit: "exponent", Note: "CPU; 0 is constant, 1 linear"})
	return nil
}

// decision is the CPU of submit, grant, start and release of a gang, in
// microseconds, on so many nodes that are half busy, while others wait for
// more than there is.
func decision(ctx context.Context, nodes, waiting int) (float64, error) {
	k := newKernel(gang.Config{}, plain(nodes))
	for i := range nodes / 50 {
		id, j := job("busy", i)
		if err := k.run(gang.Request{Gang: id, Job: j, Size: 1600, Each: core.Resources{CPU: 1000, Memory: 1 << 30}, Walltime: 3600_000}); err != nil {
			return 0, err
		}
	}
	for i := range waiting {
		id, j := job("wait", i)
		k.Step(gang.Submit{Now: 1, Request: gang.Request{Gang: id, Job: j, Size: nodes, Each: core.Resources{CPU: core.MilliCPU(33_000 + 100*(i%16)), Memory: 1 << 30},
			Walltime: 3600_000 + int64(i%1000), Priority: -1}})
		if i%4096 == 0 && ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	const lives = 400
	var err error
	took := measure(func() {
		for i := range lives {
			id, j := job("life", i)
			k.rested()
			if err = k.run(gang.Request{Gang: id, Job: j, Size: 4, Each: core.Resources{CPU: 1000, Memory: 1 << 30}, Walltime: 60_000}); err != nil {
				return
			}
			k.release(id)
		}
	})
	return float64(took.cpu.Microseconds()) / lives, err
}

// order is the exponent k of y = c·xᵏ that fits best.
func order(x, y []float64) float64 {
	var sx, sy, sxx, sxy float64
	for i := range x {
		a, b := math.Log(x[i]), math.Log(y[i])
		sx, sy, sxx, sxy = sx+a, sy+b, sxx+a*a, sxy+a*b
	}
	n := float64(len(x))
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}
