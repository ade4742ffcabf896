// Package bsp lets a Go program be a BSP job: supersteps on a gang of peers, as
// in Apache Hama. The program is both driver and executor: started by its user
// it submits itself, and in the executors it runs.
//
//	// Each peer throws darts at a square and tells rank 0 how many hit the circle.
//	func main() {
//		bsp.Main(bsp.Job{
//			Name: "pi",
//			Gang: core.Gang{Size: 4},
//			Program: bsp.Func(func(ctx context.Context, p *bsp.Peer) error {
//				random := rand.New(rand.NewPCG(1, uint64(p.Rank())))
//				const darts = 10_000_000
//				hits := 0
//				for range darts {
//					if x, y := random.Float64(), random.Float64(); x*x+y*y < 1 {
//						hits++
//					}
//				}
//				if err := bsp.Send(p, 0, 4*float64(hits)/darts); err != nil {
//					return err
//				}
//				if err := p.Sync(ctx); err != nil {
//					return err
//				}
//				var sum, n float64
//				for _, estimate := range bsp.Messages[float64](p) {
//					sum, n = sum+estimate, n+1
//				}
//				if n == 0 {
//					return nil // another rank than 0
//				}
//				return p.WriteKV([]byte("pi"), []byte(fmt.Sprint(sum/n)))
//			}),
//		})
//	}
//
// and then
//
//	go run ./pi -- -output s3://results/pi
//
// # Model
//
//	driver    Main ─ document with algorithm.program: itself ─→ capstan run -
//	executor  Main executor ─ core/executor ─ the BSP framework with this program
//	test      Local ─ the same peers, in this process, over files
//
// The rooms, from the bottom:
//
//	peer        a rank's runtime: messages, Sync, aggregators, checkpoints
//	exec        a peer that is a process, in any language
//	coordinate, work, task, spec, framework   a job on a cluster
//
// A typed message is its bytes: a value of a type with a fixed size as its
// memory in little-endian order, a string or []byte as it is, any other as JSON.
//
// # Laws
//
//	B1  Laws P1 to P6 of package peer hold for programs.
//	B2  Job.Program is called once in each executor, and again only where all
//	    begin anew: what it returns is one rank's, so it may hold state.
//	B3  Local gives the rows that the cluster gives with as many peers and the
//	    same input, in the order of ranks.
//
// # Left out
//
// Moving input between ranks: every rank has splits of about the same size, and
// sends what belongs elsewhere.
package bsp
