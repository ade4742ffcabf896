// Command emptysteps is a job of supersteps in which nobody does anything.
package main

import (
	"context"

	"github.com/capstan-run/capstan/frameworks/bsp"
)

// supersteps is how many there are.
const supersteps = 20_000

func main() {
	bsp.Main(bsp.Job{Name: "emptysteps", Program: bsp.Func(func(ctx context.Context, p *bsp.Peer) error {
		for range supersteps {
			if err := p.Sync(ctx); err != nil {
				return err
			}
		}
		return nil
	})})
}
