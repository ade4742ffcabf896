package exec

import (
	"bytes"
	"context"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

// sendBatch sends the record batch that is in data, after those that were begun
// before it.
func (p *proxy) sendBatch(ctx context.Context, c *mpi.Comm, r *request) error {
	data, unuse, err := p.data(r)
	if err != nil {
		return err
	}
	ready, leave := p.order.join(lane{r.comm, cmdSend})
	p.later(c, r, func() (*answer, error) {
		defer unuse()
		defer leave()
		<-ready
		return &answer{}, decoded(data, func(in *ipc.Reader) error {
			if !in.Next() {
				return refusal{statusRequest, fmt.Sprintf("send: the stream has no record batch: %v", in.Err())}
			}
			records, err := mpi.NewRecords(c, in.Schema())
			if err != nil {
				return err
			}
			return records.Send(ctx, int(r.peer), int(r.tag), in.Record())
		})
	})
	return nil
}

// recvBatch receives a record batch of the schema that is inline.
func (p *proxy) recvBatch(ctx context.Context, c *mpi.Comm, r *request) error {
	if r.tag == mpi.AnyTag {
		return refusal{statusRequest, "recv: record batches are received under one tag"}
	}
	ready, leave := p.order.join(lane{r.comm, cmdRecv})
	p.later(c, r, func() (*answer, error) {
		defer leave()
		<-ready
		var schema *arrow.Schema
		err := decoded(r.data, func(in *ipc.Reader) error {
			schema = in.Schema()
			return nil
		})
		if err != nil {
			return nil, err
		}
		records, err := mpi.NewRecords(c, schema)
		if err != nil {
			return nil, err
		}
		rec, from, err := records.Recv(ctx, int(r.peer), int(r.tag))
		if err != nil {
			return nil, err
		}
		defer rec.Release()
		return p.encoded(r, rec, from)
	})
	return nil
}

// decoded lets f read a stream that the process wrote. Arrow's reader panics at
// some that are broken.
func decoded(b []byte, f func(*ipc.Reader) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = refusal{statusRequest, fmt.Sprintf("the bytes are no stream in Arrow's format: %v", v)}
		}
	}()
	in, err := ipc.NewReader(bytes.NewReader(b))
	if err != nil {
		return refusal{statusRequest, fmt.Sprintf("the bytes are no stream in Arrow's format: %v", err)}
	}
	defer in.Release()
	return f(in)
}

// encoded is the answer that has a record batch.
func (p *proxy) encoded(r *request, rec arrow.Record, from int) (*answer, error) {
	var b bytes.Buffer
	w := ipc.NewWriter(&b, ipc.WithSchema(rec.Schema()))
	err := w.Write(rec)
	if closeErr := w.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, err
	}
	into, err := p.room(r, uint64(b.Len()))
	if err != nil {
		return nil, err
	}
	copy(into.b, b.Bytes())
	return into.fill(&answer{kind: kindBatch, peer: int32(from), tag: r.tag}), nil
}
