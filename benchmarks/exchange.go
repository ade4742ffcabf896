package benchmarks

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/capstan-run/capstan/benchmarks/exchange"
	"github.com/capstan-run/capstan/benchmarks/peers"
	"github.com/capstan-run/capstan/benchmarks/result"
	"github.com/capstan-run/capstan/benchmarks/terasort"
	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/store"
	"github.com/capstan-run/capstan/shuffle/store/embedded"
)

const (
	exchangeRows = 640_000   // 64 MB of rows of 100 bytes
	diskRows     = 2_560_000 // 256 MB, with a budget of half of it
	shuffleRows  = 2_560_000 // of Spark's shuffle and ours
	shuffleParts = 200

	s3MaxPut = 5 << 30 // what S3 takes as one PUT
)

// exchange is the workload of that name. All but Spark runs in this process,
// which does nothing else meanwhile.
func (b *bench) exchange(ctx context.Context) error {
	client, end, err := b.openStore(ctx)
	if err != nil {
		return err
	}
	defer end()
	for _, part := range []func() error{
		func() error { return b.alternate(ctx, b.exchangeRates()) },
		func() error { return b.alternate(ctx, []contender{b.exchangeDisk()}) },
		func() error { return b.exchangeRequests(ctx, client) },
		func() error { return b.shuffles(ctx) },
		func() error { return b.exchangeSweep(ctx, client) },
	} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// openStore starts an embedded store and returns its client, as from another
// machine, and what ends both.
func (b *bench) openStore(ctx context.Context) (*store.Client, func(), error) {
	server, err := embedded.Start(ctx, embedded.Options{Command: []string{b.Capstan, "store-server"}, Root: filepath.Join(b.fresh("store"), "objects")})
	if err != nil {
		return nil, nil, err
	}
	access := server.Access()
	access.Root = ""
	client, err := store.Config{Part: s3MaxPut}.Open(access)
	if err != nil {
		server.Close()
		return nil, nil, err
	}
	end := func() {
		client.Close()
		server.Close()
	}
	if err := client.EnsureBucket(ctx, "test"); err != nil {
		end()
		return nil, nil, err
	}
	return client, end, nil
}

// exchangeRates is every local tier with few and with many partitions.
func (b *bench) exchangeRates() []contender {
	var list []contender
	for _, c := range []struct {
		series     string
		tier       exchange.Tier
		partitions int
	}{
		{result.FileExchange, exchange.File, 200},
		{result.Wide(result.FileExchange), exchange.File, 2000},
		{result.ArenaExchange, exchange.Arena, 200},
		{result.Wide(result.ArenaExchange), exchange.Arena, 2000},
		{result.MemoryExchange, exchange.Memory, 200},
		{result.Wide(result.MemoryExchange), exchange.Memory, 2000},
	} {
		key := result.Key{Workload: result.Exchange, Series: c.series, Bytes: exchangeRows * 100}
		list = append(list, contender{key, func(ctx context.Context, s *result.Sample) error {
			r, err := b.measureExchange(ctx, exchange.Config{Rows: exchangeRows, Partitions: c.partitions, Tier: c.tier}, s)
			if err == nil && c.series == result.ArenaExchange {
				b.yardstick(*s, result.Memcpy, r.Yardsticks.Memcpy)
				b.yardstick(*s, result.BareCRC, r.Yardsticks.CRC)
				b.yardstick(*s, result.BareWrite, r.Yardsticks.Write)
			}
			return err
		}})
	}
	return list
}

// measureExchange fills in what c took.
func (b *bench) measureExchange(ctx context.Context, c exchange.Config, s *result.Sample) (exchange.Result, error) {
	dir, err := b.scratch(c.Tier)
	if err != nil {
		return exchange.Result{}, err
	}
	defer os.RemoveAll(dir)
	c.Dir = dir
	r, err := exchange.Measure(ctx, c)
	if err != nil {
		return r, err
	}
	s.Input, s.Wall = int64(c.Rows)*100, r.Wall.Seconds()
	s.CPU = float64(s.Input) / 1e6 / r.Rate
	return r, nil
}

// yardstick is the sample of a bare operation at so many MB per CPU-second.
func (b *bench) yardstick(of result.Sample, series string, rate float64) {
	of.Series, of.CPU = series, float64(of.Input)/1e6/rate
	of.Wall = of.CPU // one thread
	b.result.Samples = append(b.result.Samples, of)
}

// scratch is a directory for a tier: an arena's in shared memory, where there
// is some.
func (b *bench) scratch(tier exchange.Tier) (string, error) {
	if tier == exchange.Arena {
		if dir, err := os.MkdirTemp("/dev/shm", "capstan-bench-"); err == nil {
			return dir, nil
		}
	}
	dir := b.fresh("exchange")
	return dir, os.Mkdir(dir, 0o755)
}

// exchangeSweep is once over bytes, partitions, tiers and codecs: a picture,
// with no goal of its own.
func (b *bench) exchangeSweep(ctx context.Context, client *store.Client) error {
	for _, rows := range []int{exchangeRows / 4, exchangeRows} {
		for _, parts := range []int{20, 200, 2000} {
			for _, tier := range []exchange.Tier{exchange.Memory, exchange.Arena, exchange.File, exchange.Store} {
				for _, codec := range []string{"none", "lz4", "zstd"} {
					if codec != "none" && (tier == exchange.Memory || tier == exchange.Arena) {
						continue // compressed is what leaves memory
					}
					c := exchange.Config{Rows: rows, Partitions: parts, Tier: tier, Codec: codec, Store: client, Rounds: 2}
					s := result.Sample{Repetition: 1, Key: result.Key{Workload: result.Sweep, Bytes: int64(rows) * 100,
						Series: fmt.Sprintf("%s, %d partitions, codec %s", tier, parts, codec)}}
					if _, err := b.measureExchange(ctx, c, &s); err != nil {
						return fmt.Errorf("%s: %w", title(s.Key), err)
					}
					b.result.Samples = append(b.result.Samples, s)
					b.say("1/1  %-52s %7.3f s  %s", title(s.Key), s.Wall, rates(s))
				}
			}
		}
	}
	return nil
}

// exchangeDisk passes the budget of memory twice, and adds the samples of the
// bare disk.
func (b *bench) exchangeDisk() contender {
	key := result.Key{Workload: result.Exchange, Series: result.DiskExchange, Bytes: diskRows * 100}
	return contender{key, func(ctx context.Context, s *result.Sample) error {
		dir, err := b.scratch(exchange.File)
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		r, err := exchange.MeasureDisk(ctx, exchange.Config{Dir: dir, Rows: diskRows, Rounds: 1})
		if err != nil {
			return err
		}
		s.Wall = r.Wall.Seconds()
		for series, wall := range map[string]float64{result.RawDisk: r.Raw.Seconds(), result.RawDevice: r.Bare.Seconds()} {
			raw := *s
			raw.Series, raw.Wall = series, wall
			b.result.Samples = append(b.result.Samples, raw)
		}
		return nil
	}}
}

// exchangeRequests counts what executors ask of the store.
func (b *bench) exchangeRequests(ctx context.Context, client *store.Client) error {
	for _, l := range []exchange.Load{
		{Executors: 4, Waves: 2, Tasks: 5, Partitions: 200, Rows: 8_000},
		{Executors: 2, Waves: 1, Tasks: 4, Partitions: 200, Rows: 500_000},
	} {
		dir, err := b.scratch(exchange.Store)
		if err != nil {
			return err
		}
		r, err := exchange.MeasureRequests(ctx, client, dir, l)
		if err != nil {
			return err
		}
		key := result.Key{Workload: result.Exchange, Bytes: int64(l.Executors*l.Waves*l.Tasks*l.Rows) * 100}
		for _, n := range []struct {
			what       string
			count, max float64
		}{{"PUT", float64(r.Puts), float64(r.MaxPuts)}, {"GET", float64(r.Gets), r.MaxGets}} {
			key.Series = fmt.Sprintf("%s %s, %d executors, %d tasks a wave, %d waves", n.what, result.Requests, l.Executors, l.Tasks, l.Waves)
			b.result.Samples = append(b.result.Samples, result.Sample{Key: key, Repetition: 1, Count: n.count, Limit: n.max})
			b.say("1/1  %-52s %4.0f of at most %.0f", title(key), n.count, n.max)
		}
	}
	return nil
}

// shuffles holds a shuffle of the same records by as many threads against
// Spark's.
func (b *bench) shuffles(ctx context.Context) error {
	if b.spark == nil {
		return nil
	}
	input := b.fresh("records")
	want, err := terasort.Generate(ctx, input, shuffleRows, runtime.NumCPU())
	if err != nil {
		return err
	}
	defer os.RemoveAll(input)
	key := result.Key{Workload: result.Exchange, Bytes: shuffleRows * terasort.RecordLength}
	ours, theirs := key, key
	ours.Series, theirs.Series = result.Shuffle, result.SparkRDDShuffle
	return b.alternate(ctx, []contender{
		{ours, func(ctx context.Context, s *result.Sample) error {
			dir, err := b.scratch(exchange.File)
			if err != nil {
				return err
			}
			defer os.RemoveAll(dir)
			r, err := exchange.ShuffleRecords(ctx, dir, input, shuffleParts, runtime.NumCPU())
			s.Wall = r.Wall.Seconds()
			return shuffled(peers.Shuffle{Records: r.Records, Sum: r.Sum}, want, err)
		}},
		{theirs, func(ctx context.Context, s *result.Sample) error { return b.sparkShuffle(ctx, input, want, s) }},
	})
}

// sparkRounds is how often Spark shuffles in each way. The fastest round
// counts: by the last its compiler has done its work.
const sparkRounds = 3

// sparkShuffle runs Spark's shuffles. s is of the RDD; one of the DataFrame is
// added.
func (b *bench) sparkShuffle(ctx context.Context, input string, want terasort.Summary, s *result.Sample) error {
	printed, _, err := b.runSpark(ctx, func(scratch string) (args, env []string, err error) {
		return b.spark.Shuffle(ctx, runtime.NumCPU(), input, scratch, shuffleParts, sparkRounds)
	})
	if err != nil {
		return err
	}
	all, err := peers.Shuffles(printed)
	if err != nil {
		return err
	}
	frame := *s
	frame.Series = result.SparkFrameShuffle
	for how, to := range map[string]*result.Sample{"rdd": s, "dataframe": &frame} {
		for _, r := range all[how] {
			if err := shuffled(r, want, nil); err != nil {
				return err
			}
			if to.Wall == 0 || r.Seconds < to.Wall {
				to.Wall = r.Seconds
			}
		}
		if to.Wall == 0 {
			return fmt.Errorf("Spark did not shuffle its %s: %.300q", how, printed)
		}
	}
	b.result.Samples = append(b.result.Samples, frame)
	return nil
}

// shuffled checks what a shuffle that ended with err has read.
func shuffled(got peers.Shuffle, want terasort.Summary, err error) error {
	if err == nil && (got.Records != want.Records || got.Sum != want.Sum) {
		err = core.Errorf(core.Failed, "the shuffle read %d records with sum %d, its input has %d with %d",
			got.Records, got.Sum, want.Records, want.Sum)
	}
	return err
}
