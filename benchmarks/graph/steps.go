package graph

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Step is a superstep as one rank saw it.
type Step struct {
	Incarnation int           `json:"incarnation"`
	Rank        int           `json:"rank"`
	Number      int64         `json:"number"` // from 1
	Loading     bool          `json:"loading,omitempty"`
	End         int64         `json:"end"` // nanoseconds since 1970
	Compute     time.Duration `json:"compute"`
	Send        time.Duration `json:"send"`
	Wait        time.Duration `json:"wait"`
	Checkpoint  time.Duration `json:"checkpoint"`
	Messages    int64         `json:"messages"`
	Bytes       int64         `json:"bytes"`
	Spilled     int64         `json:"spilled"`
	Active      int64         `json:"active"` // -1: the program does not say
}

// Whole is how long the superstep took.
func (s Step) Whole() time.Duration { return s.Compute + s.Send + s.Wait + s.Checkpoint }

// Steps reads what the ranks of a job wrote beside its result, by incarnation,
// number and rank.
func Steps(output string) ([]Step, error) {
	files, err := filepath.Glob(filepath.Join(output, "_side", "supersteps.csv-*"))
	if err != nil {
		return nil, err
	}
	var all []Step
	for _, name := range files {
		if all, err = appendSteps(all, name); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b Step) int {
		return slices.Compare([]int64{int64(a.Incarnation), a.Number, int64(a.Rank)}, []int64{int64(b.Incarnation), b.Number, int64(b.Rank)})
	})
	return all, nil
}

func appendSteps(all []Step, name string) ([]Step, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Scan() // the header
	for lines.Scan() {
		var s Step
		var stage string
		if _, err := fmt.Sscanf(strings.ReplaceAll(lines.Text(), ",", " "), "%d %d %d %d %d %d %d %d %d %d %d %d %s", &s.Incarnation, &s.Rank, &s.Number,
			&s.End, &s.Compute, &s.Send, &s.Wait, &s.Checkpoint, &s.Messages, &s.Bytes, &s.Spilled, &s.Active, &stage); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", name, lines.Text(), err)
		}
		s.Loading = stage == "load"
		all = append(all, s)
	}
	return all, lines.Err()
}

// Typical is the mean time of a superstep as rank 0 saw their ends, without the
// first and last tenth of them.
func Typical(steps []Step) time.Duration {
	var ends, numbers []int64
	for _, s := range steps {
		if s.Rank == 0 {
			ends, numbers = append(ends, s.End), append(numbers, s.Number)
		}
	}
	from, to := len(ends)/10, len(ends)-len(ends)/10-1
	if from >= to {
		return 0
	}
	return time.Duration((ends[to] - ends[from]) / (numbers[to] - numbers[from]))
}

// Times is how long the supersteps took that loaded the graph, and those in which
// the algorithm itself ran, as rank 0 saw them.
func Times(steps []Step) (loading, loop time.Duration) {
	for _, s := range steps {
		switch {
		case s.Rank != 0:
		case s.Loading:
			loading += s.Whole()
		default:
			loop += s.Whole()
		}
	}
	return loading, loop
}

// Resumed is the time from the last superstep of an incarnation to the end of
// the first of the next, the longest of all; 0 where there was only one.
func Resumed(steps []Step) time.Duration {
	var longest time.Duration
	last := int64(0)
	for i, s := range steps {
		if i > 0 && s.Incarnation != steps[i-1].Incarnation {
			longest = max(longest, time.Duration(s.End-last))
		}
		last = max(last, s.End)
	}
	return longest
}
