package peertest

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow"
)

// Row is a line of the result; of a record it is the JSON of a row, without a
// key.
type Row struct{ Key, Value string }

// Output is a peer's output in memory.
type Output struct{ rows []Row }

// Rows are those written so far.
func (o *Output) Rows() []Row { return o.rows }

func (o *Output) WriteKV(key, value []byte) error {
	o.rows = append(o.rows, Row{string(key), string(value)})
	return nil
}

func (o *Output) WriteRecord(rec arrow.Record) error {
	doc, err := rec.MarshalJSON()
	if err != nil {
		return err
	}
	var rows []json.RawMessage
	if err := json.Unmarshal(doc, &rows); err != nil {
		return err
	}
	for _, row := range rows {
		o.rows = append(o.rows, Row{Value: string(row)})
	}
	return nil
}

// Seal names the rows so far by their number.
func (o *Output) Seal() ([]byte, error) { return []byte(strconv.Itoa(len(o.rows))), nil }

func (o *Output) Rewind(state []byte) error {
	n := 0
	if state != nil {
		var err error
		if n, err = strconv.Atoi(string(state)); err != nil || n > len(o.rows) {
			return fmt.Errorf("rewind %d rows to %q", len(o.rows), state)
		}
	}
	o.rows = o.rows[:n]
	return nil
}
