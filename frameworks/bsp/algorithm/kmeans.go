package algorithm

import (
	"context"
	"math"
	"slices"
	"strconv"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// clusterOptions are the options of kmeans.
type clusterOptions struct {
	K          int      `json:"k" about:"how many clusters"`
	Iterations int      `json:"iterations" about:"at most so many times centers are moved"`
	Tolerance  float64  `json:"tolerance" about:"stop when no center moves further"`
	Seed       int      `json:"seed" about:"of the choices left to chance: the same seed gives the same first centers"`
	Init       string   `json:"init" about:"first centers: spread (far from each other, k-means++) or random"`
	ID         string   `json:"id" about:"the column that names a point; of text, the first field if this is set"`
	Columns    []string `json:"columns" about:"the columns of coordinates; default all but id"`
	Result     string   `json:"result" about:"centers: those; assignments: the cluster of each point"`
}

// Values of the options of kmeans.
const (
	initSpread        = "spread"
	initRandom        = "random"
	resultCenters     = "centers"
	resultAssignments = "assignments"
)

func (o *clusterOptions) check(f *faults) {
	atLeast(f, "k", o.K, 1)
	atLeast(f, "iterations", o.Iterations, 0)
	within(f, "tolerance", o.Tolerance, 0, math.MaxFloat64)
	if o.Init != initSpread && o.Init != initRandom {
		f.add("init", "use spread or random", "there is no init %q", o.Init)
	}
	if o.Result != resultCenters && o.Result != resultAssignments {
		f.add("result", "use centers or assignments", "there is no result %q", o.Result)
	}
}

func clusters() []Algorithm {
	a := define("kmeans",
		"k clusters of points, each around the mean of its own",
		clusterOptions{K: 8, Iterations: 20, Tolerance: 1e-4, Seed: 1, Init: initSpread, Result: resultCenters},
		func(_ graph.Config, o clusterOptions) peer.Program { return &kmeans{options: o} })
	a.records = true
	return []Algorithm{a}
}

// kmeans clusters rows of numbers (Lloyd, "Least squares quantization in PCM",
// 1982). First centers are chosen by k-means++ (Arthur and Vassilvitskii, 2007),
// the chance of each point by a hash of its coordinates, as a race of exponential
// clocks (Efraimidis and Spirakis, "Weighted random sampling with a reservoir",
// 2006), so that they depend on neither gang nor order. Of points with the same
// coordinates one takes part in that choice.
//
// A point as far from two centers goes to the first. A center that loses all its
// points stays where it is. Points beyond the memory lie in a file.
type kmeans struct {
	options clusterOptions
	points  *points
	clusterState
}

// clusterState is what a checkpoint keeps.
type clusterState struct {
	done    int64 // iterations
	ended   bool
	inertia float64 // sum of squared distances to the centers before the last move
	centers []float64
}

// Run writes a line (cluster, center) for each cluster, or (point, cluster) for
// each point. The counter "points" is their number.
func (k *kmeans) Run(ctx context.Context, p *peer.Peer) error {
	p.HoldCheckpoints(true)
	if p.Superstep() == 0 {
		k.clusterState = clusterState{}
	}
	if err := k.read(ctx, p); err != nil {
		return err
	}
	defer func() {
		k.points.close()
		k.points = nil
	}()
	if err := k.agree(ctx, p); err != nil {
		return err
	}
	p.HoldCheckpoints(false)
	if err := k.chooseCenters(ctx, p); err != nil {
		return err
	}
	if err := k.iterate(ctx, p); err != nil {
		return err
	}
	p.Count("points", int64(k.points.n))
	if k.options.Result == resultAssignments {
		return k.writeAssignments(ctx, p)
	}
	return k.writeCenters(p)
}

func (k *kmeans) rows(p *peer.Peer) *rows {
	r := &rows{peer: p, columns: k.options.Columns}
	if k.options.ID != "" {
		r.keys = []string{k.options.ID}
	}
	return r
}

// read reads this rank's points.
func (k *kmeans) read(ctx context.Context, p *peer.Peer) error {
	k.points = newPoints(p)
	err := k.rows(p).each(ctx, func(_ [][]byte, values []float64) error {
		if err := k.fits(values); err != nil {
			return err
		}
		return k.points.add(p.Scratch(), values)
	})
	if err != nil {
		return err
	}
	return k.points.flush(p.Scratch())
}

// fits finds what is wrong with a point.
func (k *kmeans) fits(values []float64) error {
	if len(values) == 0 || k.points.n > 0 && len(values) != k.points.width {
		return faultf("%d coordinates, and %d before", len(values), k.points.width)
	}
	for _, x := range values {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return faultf("%v is no coordinate", x)
		}
	}
	return nil
}

// agree finds out whether all ranks have points of one width. It takes one Sync.
func (k *kmeans) agree(ctx context.Context, p *peer.Peer) error {
	least, most := peer.Min[int64](p, "kmeans narrowest"), peer.Max[int64](p, "kmeans widest")
	if k.points.n > 0 {
		least.Add(int64(k.points.width))
		most.Add(int64(k.points.width))
	} else {
		least.Add(math.MaxInt64)
		most.Add(0)
	}
	if err := p.Sync(ctx); err != nil {
		return err
	}
	switch {
	case most.Value() == 0:
		return core.Errorf(core.Invalid, "there are no points to cluster").At("spec.input.path").Do("name files with a point a record")
	case least.Value() != most.Value():
		return core.Errorf(core.Invalid, "there are points of %d and of %d coordinates", least.Value(), most.Value()).
			At("spec.input.path").Do("give all points as many coordinates, or choose with columns")
	}
	k.points.width = int(most.Value())
	return nil
}

// candidate is a point that wants to be a center: the one of least score is.
type candidate struct {
	Found bool
	Score float64
	Point []float64
}

func (c candidate) better(o candidate) candidate {
	if !c.Found || o.Found && (o.Score < c.Score || o.Score == c.Score && slices.Compare(o.Point, c.Point) < 0) {
		return o
	}
	return c
}

// chooseCenters chooses those that are missing, one a superstep.
func (k *kmeans) chooseCenters(ctx context.Context, p *peer.Peer) error {
	best := peer.Custom(p, "kmeans center", candidate{}, candidate.better, peer.JSON[candidate]())
	width := k.points.width
	for n := len(k.centers) / width; n < k.options.K; n++ {
		found := make([]candidate, lanes)
		err := k.points.each(ctx, p.Cores(), func(lane int, block []float64) {
			for ; len(block) > 0; block = block[width:] {
				found[lane] = k.candidate(found[lane], block[:width], n)
			}
		})
		if err != nil {
			return err
		}
		for _, c := range found {
			best.Add(c)
		}
		if err := p.Sync(ctx); err != nil {
			return err
		}
		c := best.Value()
		if !c.Found {
			return core.Errorf(core.Invalid, "there are %d different points for %d clusters", n, k.options.K).
				At("spec.algorithm.with.k").Do("set k to at most " + strconv.Itoa(n))
		}
		k.centers = append(k.centers, c.Point...)
	}
	return nil
}

// candidate is the better of best and the point. A point that is a center already
// is none.
func (k *kmeans) candidate(best candidate, point []float64, n int) candidate {
	weight := 1.0
	if n > 0 {
		_, far := nearestCenter(k.centers, point)
		if far == 0 {
			return best
		}
		if k.options.Init == initSpread {
			weight = far
		}
	}
	hash := mix(uint64(k.options.Seed)) + uint64(n)
	for _, x := range point {
		hash = mix(hash ^ math.Float64bits(x+0)) // -0 is 0
	}
	c := candidate{Found: true, Score: -math.Log1p(-unit(hash)) / weight, Point: point}
	if best.Found && best.Score < c.Score {
		return best
	}
	if best = best.better(c); &best.Point[0] == &point[0] {
		best.Point = slices.Clone(point)
	}
	return best
}

// nearestCenter is the center next to the point, and the square of its distance.
func nearestCenter(centers, point []float64) (int, float64) {
	best, least := 0, math.Inf(1)
	for c := 0; len(centers) > 0; c++ {
		center := centers[:len(point)]
		centers = centers[len(point):]
		sum := 0.0
		for i, x := range point {
			d := x - center[i]
			sum += d * d
		}
		if sum < least {
			best, least = c, sum
		}
	}
	return best, least
}

// iterate moves centers until they rest.
func (k *kmeans) iterate(ctx context.Context, p *peer.Peer) error {
	for k.done < int64(k.options.Iterations) && !k.ended {
		sums, err := k.sums(ctx, p.Cores())
		if err != nil {
			return err
		}
		for r := range p.Size() {
			if err := p.SendBlock(r, blockSums, bytesOf(sums)); err != nil {
				return err
			}
		}
		if err := p.Sync(ctx); err != nil {
			return err
		}
		total := make([]float64, len(sums))
		for block := range p.Blocks() {
			if block.Kind == blockSums {
				addTo(total, columnOf[float64](block.Data))
			}
		}
		k.move(total)
	}
	if p.Rank() == 0 {
		p.Log().Info("kmeans", "iterations", k.done, "inertia", k.inertia)
	}
	return nil
}

const blockSums uint32 = 0x4b01

// sums adds up this rank's points by their centers: the coordinates, for each
// center, then how many they are, for each, then the inertia.
func (k *kmeans) sums(ctx context.Context, cores int) ([]float64, error) {
	width, n := k.points.width, k.options.K
	byLane := make([][]float64, lanes)
	err := k.points.each(ctx, cores, func(lane int, block []float64) {
		if byLane[lane] == nil {
			byLane[lane] = make([]float64, n*width+n+1)
		}
		sums := byLane[lane]
		for ; len(block) > 0; block = block[width:] {
			c, far := nearestCenter(k.centers, block[:width])
			addTo(sums[c*width:(c+1)*width], block[:width])
			sums[n*width+c]++
			sums[n*width+n] += far
		}
	})
	total := make([]float64, n*width+n+1)
	for _, sums := range byLane {
		if sums != nil {
			addTo(total, sums)
		}
	}
	return total, err
}

func addTo(sums, values []float64) {
	for i, x := range values {
		sums[i] += x
	}
}

// move moves the centers to the means of their points.
func (k *kmeans) move(total []float64) {
	width, n := k.points.width, k.options.K
	centers := slices.Clone(k.centers)
	furthest := 0.0
	for c := range n {
		count := total[n*width+c]
		if count == 0 {
			continue
		}
		square := 0.0
		for i := range width {
			x := total[c*width+i] / count
			d := x - centers[c*width+i]
			square += d * d
			centers[c*width+i] = x
		}
		furthest = max(furthest, math.Sqrt(square))
	}
	k.centers, k.inertia = centers, total[n*width+n]
	k.done++
	k.ended = furthest <= k.options.Tolerance
}

// writeCenters writes at rank 0: all ranks have the same.
func (k *kmeans) writeCenters(p *peer.Peer) error {
	if p.Rank() != 0 {
		return nil
	}
	for c := range k.options.K {
		center := k.centers[c*k.points.width : (c+1)*k.points.width]
		if err := p.WriteKV(strconv.AppendInt(nil, int64(c), 10), appendNumbers(nil, center)); err != nil {
			return err
		}
	}
	return nil
}

// appendNumbers writes numbers with blanks between them.
func appendNumbers(b []byte, numbers []float64) []byte {
	for i, x := range numbers {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendFloat(b, x, 'g', -1, 64)
	}
	return b
}

// writeAssignments reads the points once more, for their names.
func (k *kmeans) writeAssignments(ctx context.Context, p *peer.Peer) error {
	var key, value []byte
	again := k.rows(p)
	again.again = true
	return again.each(ctx, func(keys [][]byte, values []float64) error {
		if err := k.fits(values); err != nil {
			return err
		}
		key = appendNumbers(key[:0], values)
		if len(keys) > 0 {
			key = append(key[:0], keys[0]...)
		}
		c, _ := nearestCenter(k.centers, values)
		value = strconv.AppendInt(value[:0], int64(c), 10)
		return p.WriteKV(key, value)
	})
}

// Save keeps the centers; the points are read again.
func (k *kmeans) Save(w *peer.SnapshotWriter) error {
	ended := int64(0)
	if k.ended {
		ended = 1
	}
	return w.Put("centers", bytesOf([]int64{k.done, ended, int64(math.Float64bits(k.inertia))}), bytesOf(k.centers))
}

// Load goes on from a checkpoint.
func (k *kmeans) Load(r *peer.SnapshotReader) error {
	head, rest, err := readSection(r, "centers", 3)
	if err != nil {
		return err
	}
	k.done, k.ended, k.inertia = head[0], head[1] != 0, math.Float64frombits(uint64(head[2]))
	k.centers = columnOf[float64](rest)
	return nil
}
