package benchmarks

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"

	"github.com/capstan-run/capstan/benchmarks/corpus"
	"github.com/capstan-run/capstan/benchmarks/meter"
	"github.com/capstan-run/capstan/benchmarks/result"
)

const (
	skewKeys   = 10_000  // of rows that are words
	groupKeys  = 200_000 // of rows in groups: so many that combining leaves a large partition
	skewGroups = 64
	skewTasks  = 32 // map tasks of rows in groups
)

// The skewed rows are held against even ones of the same bytes, rows and number
// of keys, in two ways. Where half of all rows have one key, map tasks combine
// them and next to nothing is left of them. Where half of all rows and keys are
// in one group of keys, which goes to one partition as a whole, that partition
// stays large: it is what the merge stage of MapReduce is for.

// sum is a job that adds up the rows of each key.
type sum struct {
	series string
	text   corpus.Text
	groups bool
}

// skew is the workload of that name.
func (b *bench) skew(ctx context.Context) error {
	for _, size := range b.Sizes {
		jobs := []sum{{series: result.EvenKeys}, {series: result.HotKey}, {series: result.EvenGroups, groups: true}, {series: result.HotGroup, groups: true}}
		for i := range jobs {
			if err := b.draw(&jobs[i], size); err != nil {
				return err
			}
		}
		if err := b.skewOf(ctx, jobs, size); err != nil {
			return err
		}
		for _, j := range jobs {
			if err := os.RemoveAll(j.text.Dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// draw makes the input of j.
func (b *bench) draw(j *sum, size int64) error {
	d := corpus.Drawn{Bytes: size, Keys: skewKeys, Hot: j.series == result.HotKey || j.series == result.HotGroup}
	if j.groups {
		d.Keys, d.Groups = groupKeys, skewGroups
	}
	b.say("rows of %s, %s: make", result.Size(size), j.series)
	var err error
	j.text, err = d.Write(b.fresh("keys"), runtime.NumCPU())
	return err
}

// skewOf runs jobs on running hosts, so that the ratio is of jobs alone.
func (b *bench) skewOf(ctx context.Context, jobs []sum, size int64) (err error) {
	var list []contender
	var hosts []*meter.Server
	defer func() { err = stop(err, hosts) }()
	for _, launcher := range b.Launchers {
		p, host, err := b.host(ctx, launcher, 0)
		if err != nil {
			return err
		}
		hosts = append(hosts, host)
		// The first job of a host unpacks what the others find.
		if err := b.sum(ctx, p, jobs[0], &result.Sample{Key: result.Key{Executors: b.Gangs[0], Bytes: size}}); err != nil {
			return err
		}
		for _, n := range b.Gangs {
			for _, j := range jobs {
				key := result.Key{Workload: result.Skew, Series: j.series, Launcher: launcher, Executors: n, Bytes: size}
				list = append(list, contender{key, func(ctx context.Context, s *result.Sample) error { return b.sum(ctx, p, j, s) }})
			}
		}
	}
	return b.alternate(ctx, list)
}

// sum runs j once.
func (b *bench) sum(ctx context.Context, p place, j sum, s *result.Sample) error {
	output := b.fresh("out")
	doc, err := j.document(output, s.Executors, s.Bytes)
	if err != nil {
		return err
	}
	done, err := b.run(ctx, p, doc, output, j.text.Answer, s)
	if err != nil {
		return err
	}
	for _, stage := range done.Progress.Stages {
		if stage.Name == "merge" {
			b.say("     merged first: %d ranges of map outputs", stage.Tasks)
		}
	}
	return nil
}

func (j sum) document(output string, executors int, size int64) ([]byte, error) {
	body := map[string]any{
		"input":   map[string]any{"path": "file://" + j.text.Dir},
		"map":     step{Use: "words"},
		"combine": step{Use: "sum"},
		"reduce":  step{Use: "sum"},
		"output":  map[string]any{"path": "file://" + output},
	}
	if j.groups {
		body["input"] = map[string]any{"path": "file://" + j.text.Dir, "splitSize": fmt.Sprint(size/skewTasks + 1)}
		body["map"] = map[string]any{"use": "identity", "with": map[string]string{"separator": ":", "keyFields": "2"}}
		body["shuffle"] = map[string]any{"partitionFields": 1}
	}
	return json.Marshal(map[string]any{"apiVersion": "capstan/v1", "kind": "MapReduce",
		"metadata": map[string]any{"name": "bench-sum"},
		"gang":     map[string]any{"size": executors, "cpu": share(executors), "memory": "512Mi"},
		"spec":     body})
}
