package input

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/capstan-run/capstan/core"
)

const (
	inferRecords = 1000 // of the first file
	inferFiles   = 16   // files looked into
)

// Infer finds the columns of CSV or JSON lines files: of CSV the names of the
// first file's header, all utf8, since a field is text and "007" is no number;
// of JSON the fields of the first 1,000 records and of some from further files,
// in order of first appearance. JSON numbers are int64 if all of them are, else
// float64; integers beyond int64, which float64 would round, and fields of mixed
// or nested type are utf8 with their JSON text.
//
// Other formats have no columns here: Infer returns nil.
func Infer(ctx context.Context, files []File, o Options) ([]Column, error) {
	o.setDefaults()
	switch o.Format {
	case "csv":
		return inferCSV(ctx, files, o)
	case "json":
		return inferJSON(ctx, files, o)
	}
	return nil, nil
}

// errEnough ends a look into a file.
var errEnough = errors.New("enough lines")

// firstLines calls each with the first lines of a file.
func firstLines(ctx context.Context, f File, o Options, each func(off int64, line []byte) error) error {
	o.Bad = func(Bad) error { return nil } // the task that reads it reports
	o.Buffer = 64 << 10
	r := NewBlockReader(Split{Ranges: []Range{{File: f, Length: f.Size, Codec: codecByName(f.URL)}}}, o)
	defer r.Close()
	for {
		b, err := r.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		for off, line := range b.Lines() {
			if err := each(off, line); err == errEnough {
				return nil
			} else if err != nil {
				return err
			}
		}
	}
}

func inferCSV(ctx context.Context, files []File, o Options) ([]Column, error) {
	var cols []Column
	for _, f := range files {
		err := firstLines(ctx, f, o, func(off int64, line []byte) error {
			if off > 0 && !o.NoHeader {
				return badHeader(f.URL, fmt.Sprintf("it is longer than %s or not UTF-8", sizeText(o.MaxRecord)))
			}
			line = trimBOM(off, line)
			if len(line) == 0 && o.NoHeader {
				return nil
			}
			fields, err := splitFields(nil, line, o.Delimiter)
			if len(line) == 0 {
				err = errors.New("it is blank")
			}
			if err != nil {
				return core.Errorf(core.Invalid, "the first line is not CSV: %v", err).At(f.URL).Do("repair it, or set spec.input.format")
			}
			for i, name := range fields {
				c := Column{Name: string(name), Type: "utf8"}
				if o.NoHeader {
					c.Name = "c" + strconv.Itoa(i+1)
				}
				cols = append(cols, c)
			}
			return errEnough
		})
		if err != nil || len(cols) > 0 {
			return cols, err
		}
	}
	return cols, nil
}

func inferJSON(ctx context.Context, files []File, o Options) ([]Column, error) {
	inf := inference{at: map[string]int{}}
	step := max(1, (len(files)+inferFiles-1)/inferFiles)
	left := inferRecords
	for i := 0; i < len(files); i += step {
		err := firstLines(ctx, files[i], o, func(off int64, line []byte) error {
			inf.line(trimBOM(off, line))
			if left--; left <= 0 {
				return errEnough
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		left = max(left, inferRecords/10)
	}
	return inf.columns(), nil
}

// inference gathers the fields of JSON records.
type inference struct {
	cols []Column
	at   map[string]int
}

// line takes one record; one that is no object tells nothing.
func (inf *inference) line(line []byte) {
	_ = eachField(line, func(name string, value json.RawMessage) error {
		t := typeOf(value)
		i, ok := inf.at[name]
		switch {
		case !ok:
			inf.at[name] = len(inf.cols)
			inf.cols = append(inf.cols, Column{Name: name, Type: t})
		case t == "" || inf.cols[i].Type == t:
		case inf.cols[i].Type == "":
			inf.cols[i].Type = t
		default:
			inf.cols[i].Type = wider(inf.cols[i].Type, t)
		}
		return nil
	})
}

func (inf *inference) columns() []Column {
	for i := range inf.cols {
		if inf.cols[i].Type == "" {
			inf.cols[i].Type = "utf8" // only nulls so far
		}
	}
	return inf.cols
}

// typeOf is the column type of a JSON value, "" for null.
func typeOf(v json.RawMessage) string {
	switch v[0] {
	case 'n':
		return ""
	case 't', 'f':
		return "bool"
	case '"', '{', '[':
		return "utf8"
	}
	if _, err := strconv.ParseInt(string(v), 10, 64); err == nil {
		return "int64"
	}
	if !bytes.ContainsAny(v, ".eE") {
		return "utf8"
	}
	return "float64"
}

func wider(a, b string) string {
	if (a == "int64" || a == "float64") && (b == "int64" || b == "float64") {
		return "float64"
	}
	return "utf8"
}
