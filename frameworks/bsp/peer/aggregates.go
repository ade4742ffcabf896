package peer

import (
	"encoding/binary"
	"slices"
)

// aggregates are a rank's aggregators, and the results of the superstep that
// ended last, also of those that the program has not made yet.
type aggregates struct {
	of      map[string]aggregate
	names   []string // sorted
	results map[string][]byte
}

func newAggregates() aggregates {
	return aggregates{of: map[string]aggregate{}, results: map[string][]byte{}}
}

func (a *aggregates) add(name string, x aggregate) {
	a.of[name] = x
	i, _ := slices.BinarySearch(a.names, name)
	a.names = slices.Insert(a.names, i, name)
}

// contributions appends what this rank added: pairs of name and bytes.
func (a *aggregates) contributions(b []byte) ([]byte, error) {
	for _, name := range a.names {
		start := len(b)
		b = appendPiece(b, name)
		at := len(b)
		b = append(b, 0, 0, 0, 0)
		out, ok, err := a.of[name].contribute(b)
		if err != nil {
			return nil, aggregatorError(name, "its value has no bytes: %v", err)
		}
		if b = out; !ok {
			b = b[:start]
			continue
		}
		binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	}
	return b, nil
}

// combine makes the results of all ranks' contributions.
func (a *aggregates) combine(b []byte, words []word) ([]byte, error) {
	for _, name := range a.names {
		if err := a.of[name].begin(); err != nil {
			return nil, aggregatorError(name, "its zero has no bytes: %v", err)
		}
	}
	for rank := range words {
		err := pairs(words[rank].rest, func(name string, value []byte) error {
			x, ok := a.of[name]
			if !ok {
				return aggregatorError(name, "rank %d added to it, and another has not made it: make aggregators on all ranks", rank)
			}
			if err := x.take(value); err != nil {
				return aggregatorError(name, "what rank %d added cannot be read: %v", rank, err)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for _, name := range a.names {
		b = appendPiece(b, name)
		at := len(b)
		b = append(b, 0, 0, 0, 0)
		var err error
		if b, err = a.of[name].result(b); err != nil {
			return nil, aggregatorError(name, "its value has no bytes: %v", err)
		}
		binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	}
	return b, nil
}

// set takes results.
func (a *aggregates) set(results []byte) error {
	return pairs(results, func(name string, value []byte) error {
		a.results[name] = append(a.results[name][:0], value...)
		if x, ok := a.of[name]; ok {
			if err := x.set(a.results[name]); err != nil {
				return aggregatorError(name, "its value cannot be read: %v", err)
			}
		}
		return nil
	})
}

// saved appends the results, for a checkpoint.
func (a *aggregates) saved(b []byte) []byte {
	for _, name := range sortedKeys(a.results) {
		b = appendPiece(appendPiece(b, name), a.results[name])
	}
	return b
}
