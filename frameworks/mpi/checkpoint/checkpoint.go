package checkpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi"
)

// latest is the manifest's name.
const latest = "latest"

// manifest says what a checkpoint is.
type manifest struct {
	Number int64  `json:"number"`
	Parts  []part `json:"parts"` // by rank
}

// part is what a rank wrote.
type part struct {
	Length int64  `json:"length"`
	Sum    uint32 `json:"crc32c"`
}

func name(number int64, rank int) string { return fmt.Sprintf("%d/rank-%d", number, rank) }

func sum(data []byte) uint32 { return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) }

// written is what ranks tell each other after they wrote. It has no pointers.
type written struct {
	part
	Failed bool
}

// Write keeps what write writes on each rank, as the checkpoint of a number that
// grows from one to the next. All ranks of c call it; an error of one is an error
// of all, and the checkpoint before stays.
func (p *Place) Write(ctx context.Context, c *mpi.Comm, number int64, write func(io.Writer) error) error {
	var b bytes.Buffer
	err := write(&b)
	if err == nil {
		err = p.keep.put(ctx, name(number, c.Rank()), b.Bytes())
	}
	mine := written{part{int64(b.Len()), sum(b.Bytes())}, err != nil}
	all := make([]written, c.Size())
	if e := mpi.Allgather(ctx, c, []written{mine}, all); e != nil {
		return errors.Join(err, e)
	}
	m := manifest{Number: number}
	for rank, w := range all {
		if err == nil && w.Failed {
			err = core.Errorf(core.Failed, "rank %d could not write its part of checkpoint %d", rank, number)
		}
		m.Parts = append(m.Parts, w.part)
	}
	if err != nil {
		return err
	}
	return p.commit(ctx, c, m)
}

// commit makes m the checkpoint that is read.
func (p *Place) commit(ctx context.Context, c *mpi.Comm, m manifest) error {
	before := []int64{-1}
	var err error
	if c.Rank() == 0 {
		var old *manifest
		if old, err = p.read(ctx); err == nil && old != nil {
			before[0] = old.Number
		}
		var doc []byte
		if err == nil {
			doc, err = json.Marshal(m)
		}
		if err == nil {
			err = p.keep.put(ctx, latest, doc)
		}
	}
	if err := agree(ctx, c, err, "write the manifest"); err != nil {
		return err
	}
	if err := mpi.Bcast(ctx, c, 0, before); err != nil {
		return err
	}
	if before[0] >= 0 && before[0] != m.Number {
		_ = p.keep.remove(ctx, name(before[0], c.Rank())) // what is left is the attempt's to clean up
	}
	return nil
}

// agree makes an error of one rank an error of all.
func agree(ctx context.Context, c *mpi.Comm, err error, what string) error {
	failed := []int{c.Size()}
	if err != nil {
		failed[0] = c.Rank()
	}
	if e := mpi.Allreduce(ctx, c, failed, mpi.Min); e != nil {
		return errors.Join(err, e)
	}
	if err == nil && failed[0] < c.Size() {
		err = core.Errorf(core.Failed, "rank %d could not %s", failed[0], what)
	}
	return err
}

// read is the manifest; nil where there is none.
func (p *Place) read(ctx context.Context) (*manifest, error) {
	doc, err := p.keep.get(ctx, latest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m := new(manifest)
	if err := json.Unmarshal(doc, m); err != nil {
		return nil, core.Errorf(core.Failed, "the manifest of the checkpoint makes no sense: %v", err).Do("remove it to begin anew")
	}
	return m, nil
}

// Read gives read what this rank wrote into the last checkpoint, and returns its
// number; false where there is none. All ranks of c call it.
func (p *Place) Read(ctx context.Context, c *mpi.Comm, read func(io.Reader) error) (number int64, found bool, err error) {
	m, err := p.same(ctx, c)
	if m == nil || err != nil {
		return 0, false, err
	}
	data, err := p.part(ctx, c, m)
	if err == nil {
		err = read(bytes.NewReader(data))
	}
	if err := agree(ctx, c, err, "read its part of the checkpoint"); err != nil {
		return 0, false, err
	}
	return m.Number, true, nil
}

// same is the manifest that rank 0 reads.
func (p *Place) same(ctx context.Context, c *mpi.Comm) (*manifest, error) {
	var m *manifest
	var err error
	length := []int{0}
	var doc []byte
	if c.Rank() == 0 {
		if m, err = p.read(ctx); m != nil {
			doc, err = json.Marshal(m)
		}
		length[0] = len(doc)
	}
	if err := agree(ctx, c, err, "read the manifest"); err != nil {
		return nil, err
	}
	if err := mpi.Bcast(ctx, c, 0, length); err != nil || length[0] == 0 {
		return nil, err
	}
	if c.Rank() != 0 {
		doc = make([]byte, length[0])
	}
	if err := mpi.Bcast(ctx, c, 0, doc); err != nil {
		return nil, err
	}
	m = new(manifest)
	if err := json.Unmarshal(doc, m); err != nil {
		return nil, err
	}
	if len(m.Parts) != c.Size() {
		return nil, core.Errorf(core.Invalid, "the checkpoint is of %d ranks, and these are %d", len(m.Parts), c.Size()).
			Do("start as many ranks, or remove the checkpoint to begin anew")
	}
	return m, nil
}

// part is what this rank wrote.
func (p *Place) part(ctx context.Context, c *mpi.Comm, m *manifest) ([]byte, error) {
	data, err := p.keep.get(ctx, name(m.Number, c.Rank()))
	if err != nil {
		return nil, err
	}
	if want := m.Parts[c.Rank()]; int64(len(data)) != want.Length || sum(data) != want.Sum {
		return nil, core.Errorf(core.Failed, "the part of rank %d in checkpoint %d is not what was written", c.Rank(), m.Number).
			Do("remove the checkpoint to begin anew")
	}
	return data, nil
}
