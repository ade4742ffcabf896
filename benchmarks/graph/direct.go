package graph

import (
	"bufio"
	"errors"
	"fmt"
	"os"
)

// Direct writes the graph with directed edges to a file, as lines `source target
// weight`: of each three edges, as a hash falls, one leads up, one down, and one
// both ways.
func (g *Graph) Direct(path string) (err error) {
	in, err := os.Open(g.Text)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w := bufio.NewWriter(out)
	for lines := bufio.NewScanner(in); ; {
		if !lines.Scan() {
			return errors.Join(lines.Err(), w.Flush())
		}
		var a, b uint32
		if _, err := fmt.Sscan(lines.Text(), &a, &b); err != nil {
			return fmt.Errorf("%s: %q: %w", g.Text, lines.Text(), err)
		}
		way := (uint64(a)<<32 | uint64(b)) * 0x9e3779b97f4a7c15 >> 32 % 3
		if way != 1 {
			fmt.Fprintln(w, a, b, Weight(a, b))
		}
		if way != 0 {
			fmt.Fprintln(w, b, a, Weight(a, b))
		}
	}
}
