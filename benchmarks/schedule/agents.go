package schedule

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// start tells an agent to start ranks of a gang; the answer is the same
// without ranks.
type start struct {
	Gang  gang.ID       `json:"gang"`
	Lease uint64        `json:"lease"`
	Ranks []int         `json:"ranks,omitempty"`
	Nodes []core.NodeID `json:"nodes,omitempty"`
}

// agents is fake agents, one for each rack: a stream each to one server on
// loopback, which answers every start. Started gets each answer; it must not
// block for long.
type agents struct {
	server  *grpc.Server
	conns   []*grpc.ClientConn
	streams []grpc.ClientStream
	cancel  context.CancelFunc
	done    sync.WaitGroup
}

// ends is how many connections the agents share.
const ends = 4

func openAgents(ctx context.Context, n int, started func(start)) (*agents, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &agents{server: grpc.NewServer()}
	ctx, a.cancel = context.WithCancel(ctx)
	a.server.RegisterService(&grpc.ServiceDesc{ServiceName: "capstan.benchmarks.Agent", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{
		{StreamName: "Run", Handler: answer, ServerStreams: true, ClientStreams: true},
	}}, nil)
	a.done.Go(func() { _ = a.server.Serve(l) }) // it ends with close
	for range min(ends, n) {
		c, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			a.close()
			return nil, err
		}
		a.conns = append(a.conns, c)
	}
	for i := range n {
		s, err := a.conns[i%len(a.conns)].NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/capstan.benchmarks.Agent/Run")
		if err != nil {
			a.close()
			return nil, err
		}
		a.streams = append(a.streams, s)
		a.done.Go(func() { a.listen(s, started) })
	}
	return a, nil
}

// answer is the agent: it takes starts and says started.
func answer(_ any, s grpc.ServerStream) error {
	var m wrapperspb.BytesValue
	for {
		err := s.RecvMsg(&m)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		var v start
		if err := json.Unmarshal(m.Value, &v); err != nil {
			return err
		}
		b, err := json.Marshal(start{Gang: v.Gang, Lease: v.Lease})
		if err != nil {
			return err
		}
		if err := s.SendMsg(wrapperspb.Bytes(b)); err != nil {
			return err
		}
	}
}

func (a *agents) listen(s grpc.ClientStream, started func(start)) {
	var m wrapperspb.BytesValue
	for s.RecvMsg(&m) == nil {
		var v start
		if json.Unmarshal(m.Value, &v) == nil {
			started(v)
		}
	}
}

// send tells the i-th agent. One goroutine sends to an agent at a time.
func (a *agents) send(i int, v start) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := a.streams[i].SendMsg(wrapperspb.Bytes(b)); err != nil {
		return fmt.Errorf("tell agent %d: %w", i, err)
	}
	return nil
}

func (a *agents) close() {
	a.cancel()
	for _, c := range a.conns {
		c.Close()
	}
	a.server.Stop()
	a.done.Wait()
}
