package shuffle

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/shuffle/block"
	"github.com/capstan-run/capstan/shuffle/partition"
)

// joiner finds the dictionaries of a merged partition. Where those of all its
// inputs are the same bytes they stand as they are, and so do the batches.
// Else they are joined, each value once, and the indices of batches become
// others.
//
// The objects of a writer mostly have one set of dictionaries for all
// partitions: what was joined for one partition is good for the next, until an
// object comes with another set. Joining only adds values, so that objects may
// become known at different partitions.
type joiner struct {
	schema  *arrow.Schema
	message []byte // the schema's
	codecs  block.Codecs
	batches *block.Reindexer
	encoder *block.Encoder

	known  []known                 // by object
	first  *head                   // of all known objects, while they have one set
	joined []*partition.Dictionary // by dictionary, once they have several

	bytes  []byte  // the head of the partitions written now, nil if it must be made
	places []Batch // and where its dictionaries lie
}

// known is what the joiner knows of one object.
type known struct {
	head
	maps [][]int32 // by dictionary, then index: the index it becomes; nil where all stay
}

// head is what stands before the batches of a partition: the schema and the
// dictionaries.
type head struct {
	object int
	bytes  []byte
	places []Batch
}

func newJoiner(schema *arrow.Schema, message []byte, codec string, objects int) (*joiner, error) {
	j := &joiner{schema: schema, message: message, known: make([]known, objects)}
	o := WriterOptions{Codec: codec, Codecs: &j.codecs}
	comp, err := o.compressor(schema)
	if err != nil {
		return nil, err
	}
	j.batches = block.NewReindexer(schema, comp)
	j.encoder, err = block.NewEncoder(schema, nil)
	return j, err
}

// headOf returns what stands before the batches of x. It lies in x's bytes.
func (j *joiner) headOf(x input) (head, error) {
	b := x.buf.Bytes()
	end := int64(len(b) - len(tail))
	n := end
	if len(x.part.Batches) > 0 {
		var err error
		if n, err = j.batches.Start(&x.part.Batches[0], end); err != nil {
			return head{}, err
		}
	}
	if n < int64(len(j.message)) {
		return head{}, fmt.Errorf("%w: a batch at %d, where the schema is", block.ErrMalformed, n)
	}
	return head{object: x.object, bytes: b[:n], places: x.part.Dictionaries}, nil
}

// join makes the dictionaries of a partition with the inputs whose heads are
// given, once each.
func (j *joiner) join(heads []head) error {
	for _, h := range heads {
		if k := &j.known[h.object]; k.bytes != nil && !bytes.Equal(k.bytes, h.bytes) {
			j.forget()
			break
		}
	}
	for _, h := range heads {
		if j.known[h.object].bytes == nil {
			if err := j.learn(h); err != nil {
				return fmt.Errorf("join the dictionaries of %d objects: %w", len(heads), err)
			}
		}
	}
	return nil
}

func (j *joiner) forget() {
	clear(j.known)
	j.first, j.joined, j.bytes, j.places = nil, nil, nil, nil
}

// learn makes an object known.
func (j *joiner) learn(h head) error {
	k := &j.known[h.object]
	if j.joined == nil && j.first != nil && bytes.Equal(j.first.bytes, h.bytes) {
		k.head = *j.first
		return nil
	}
	h.bytes = bytes.Clone(h.bytes)
	k.head = h
	if j.first == nil {
		j.first = &k.head
		j.bytes, j.places = h.bytes, h.places
		return nil
	}
	if j.joined == nil {
		if err := j.begin(h.object); err != nil {
			return err
		}
	}
	var err error
	k.maps, err = j.add(h)
	j.bytes, j.places = nil, nil
	return err
}

// begin starts to join: all objects known so far, but for one, have the first's
// dictionaries.
func (j *joiner) begin(except int) error {
	for _, t := range block.Dictionaries(j.schema) {
		j.joined = append(j.joined, partition.NewDictionary(t))
	}
	maps, err := j.add(*j.first)
	for i := range j.known {
		if k := &j.known[i]; k.bytes != nil && i != except {
			k.maps = maps
		}
	}
	return err
}

// add joins the dictionaries of h to the others.
func (j *joiner) add(h head) ([][]int32, error) {
	buf := memory.NewBufferBytes(h.bytes)
	defer buf.Release()
	dec, err := block.NewDecoder(j.schema, buf, block.Packing{Dictionaries: h.places})
	if err != nil {
		return nil, err
	}
	defer dec.Release()
	maps, same := make([][]int32, len(j.joined)), true
	for i, d := range dec.Dictionaries() {
		if maps[i], err = j.joined[i].Add(d); err != nil {
			return nil, err
		}
		same = same && maps[i] == nil
	}
	if same {
		return nil, nil
	}
	return maps, nil
}

// head returns what stands before the batches of the partition written now.
func (j *joiner) head() ([]byte, []Batch, error) {
	if j.bytes != nil {
		return j.bytes, j.places, nil
	}
	out := sliceWriter(bytes.Clone(j.message))
	var places []Batch
	for i, d := range j.joined {
		values := d.Data()
		b, _, err := j.encoder.EncodeDictionary(&out, int64(len(out)), i, values)
		values.Release()
		if err != nil {
			return nil, nil, err
		}
		places = append(places, b)
	}
	j.bytes, j.places = out, places
	return j.bytes, j.places, nil
}

// reindex writes the batches of x with the indices that maps give them, and
// returns where they lie in the partition.
func (j *joiner) reindex(out *stage, x input, maps [][]int32) ([]Batch, error) {
	b := x.buf.Bytes()
	var written []Batch
	for i := range x.part.Batches {
		end := int64(len(b) - len(tail))
		if i+1 < len(x.part.Batches) {
			var err error
			if end, err = j.batches.Start(&x.part.Batches[i+1], end); err != nil {
				return nil, err
			}
		}
		at := out.length
		t, _, err := j.batches.Reindex(out, b, &x.part.Batches[i], end, maps)
		if err != nil {
			return nil, err
		}
		written = append(written, shifted(&t, at))
	}
	return written, nil
}
