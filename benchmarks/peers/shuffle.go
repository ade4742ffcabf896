package peers

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Shuffle is one of Spark's own shuffles of records: what it read, and how long
// it took from the first record in memory to the last that was looked at.
type Shuffle struct {
	Seconds float64
	Records int64
	Sum     uint64 // of the CRC-32 of each record
}

// Shuffle is the command line and environment of so many shuffles of records
// of 100 bytes, from the files of a directory: over an RDD, then over a
// DataFrame. What Spark spills and shuffles lies in scratch, which must be there.
// What it prints is for [Shuffles].
func (s *Spark) Shuffle(ctx context.Context, cores int, input, scratch string, partitions, rounds int) (args, env []string, err error) {
	return s.shell(ctx, s.shuffle, cores, driverMemory, scratch, "INPUT="+input, fmt.Sprintf("PARTITIONS=%d", partitions), fmt.Sprintf("ROUNDS=%d", rounds))
}

// Shuffles reads what Shuffle printed: the rounds of each way, "rdd" and
// "dataframe", in turn.
func Shuffles(printed []byte) (map[string][]Shuffle, error) {
	all := map[string][]Shuffle{}
	for line := range bytes.Lines(printed) {
		_, after, ok := strings.Cut(string(line), "shuffled ")
		if !ok {
			continue
		}
		// rdd in 1.234 s records 5 sum 6
		words := strings.Fields(after)
		if len(words) != 8 {
			return nil, fmt.Errorf("Spark said %q of its shuffle", line)
		}
		var s Shuffle
		var err error
		if s.Seconds, err = strconv.ParseFloat(words[2], 64); err != nil {
			return nil, fmt.Errorf("Spark's time of a shuffle: %w", err)
		}
		if s.Records, err = strconv.ParseInt(words[5], 10, 64); err != nil {
			return nil, fmt.Errorf("Spark's count of a shuffle: %w", err)
		}
		if s.Sum, err = strconv.ParseUint(words[7], 10, 64); err != nil {
			return nil, fmt.Errorf("Spark's sum of a shuffle: %w", err)
		}
		all[words[0]] = append(all[words[0]], s)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("Spark did not say how long its shuffle took: %.300q", printed)
	}
	return all, nil
}
