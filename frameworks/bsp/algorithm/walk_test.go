package algorithm

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/capstan-run/capstan/frameworks/bsp/peer/peertest"
)

// plainWalks walks as the program is said to: the hash picks among the edges out
// in the order of ids.
func plainWalks(s sketch, o walkOptions) (paths []peertest.Row, visits []string) {
	edges := slices.Clone(s.edges)
	if !s.directed {
		for _, e := range s.edges {
			if e.from != e.to {
				edges = append(edges, sketchEdge{e.to, e.from, e.weight})
			}
		}
	}
	sort.Slice(edges, func(i, j int) bool {
		a, b := edges[i], edges[j]
		return a.from < b.from || a.from == b.from && (a.to < b.to || a.to == b.to && a.weight < b.weight)
	})
	out := make([][]sketchEdge, s.n)
	for _, e := range edges {
		out[e.from] = append(out[e.from], e)
	}
	count := make([]int, s.n)
	for v := range s.n {
		for k := range o.Walks {
			path, at := []string{s.name(v)}, v
			for step := range o.Length {
				hash := mix(mix(mix(uint64(o.Seed))^(uint64(v)<<32|uint64(k))) + uint64(step))
				next := pick(out[at], hash, s.weighted)
				if next < 0 {
					break
				}
				at = next
				count[at]++
				path = append(path, s.name(at))
			}
			paths = append(paths, peertest.Row{Key: s.name(v), Value: strings.Join(path, " ")})
		}
	}
	slices.SortFunc(paths, func(a, b peertest.Row) int {
		return strings.Compare(a.Key+"\x00"+a.Value, b.Key+"\x00"+b.Value)
	})
	for _, n := range count {
		visits = append(visits, fmt.Sprint(n))
	}
	return paths, visits
}

func pick(edges []sketchEdge, hash uint64, weighted bool) int {
	if !weighted {
		if len(edges) == 0 {
			return -1
		}
		return edges[hash%uint64(len(edges))].to
	}
	total := 0.0
	for _, e := range edges {
		total += e.weight
	}
	sum := 0.0
	for _, e := range edges {
		if sum += e.weight; sum > unit(hash)*total {
			return e.to
		}
	}
	return -1
}

func TestWalksAsTheReference(t *testing.T) {
	for name, s := range sketches() {
		if strings.HasSuffix(name, "large") || strings.HasSuffix(name, "texts") {
			continue // their places are the graph's own affair; see TestGangsWalkAlike
		}
		o := walkOptions{Length: 9, Walks: 2, Seed: 4}
		paths, visits := plainWalks(s, o)
		for i, size := range sizes {
			t.Run(fmt.Sprintf("%s/%d", name, size), func(t *testing.T) {
				t.Parallel()
				with := map[string]any{"length": o.Length, "walks": o.Walks, "seed": o.Seed}
				tr := trial{size: size, partition: partitions[i%3], memory: 4 << 20}
				if d := cmp.Diff(paths, s.run(t, "randomwalk", with, tr).rows, cmpopts.EquateEmpty()); d != "" {
					t.Errorf("-reference +gang\n%s", d)
				}
				with["result"] = "visits"
				if d := cmp.Diff(rowsOf(s, visits), s.run(t, "randomwalk", with, tr).rows, cmpopts.EquateEmpty()); d != "" {
					t.Errorf("visits: -reference +gang\n%s", d)
				}
			})
		}
	}
}

// TestGangsAlike expects of what is left to chance the same on any gang, with
// ids of any kind.
func TestGangsAlike(t *testing.T) {
	for _, name := range []string{"random large", "random texts", "weighted texts"} {
		for _, use := range []string{"randomwalk", "matching"} {
			t.Run(name+"/"+use, func(t *testing.T) {
				t.Parallel()
				s := sketches()[name]
				want := s.run(t, use, nil, trial{size: 1})
				for i, size := range sizes[1:] {
					got := s.run(t, use, nil, trial{size: size, partition: partitions[i%3]})
					if d := cmp.Diff(want.rows, got.rows); d != "" {
						t.Errorf("-1 rank +%d ranks\n%s", size, d)
					}
				}
			})
		}
	}
}
