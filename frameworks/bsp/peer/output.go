package peer

import (
	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/core"
)

// WriteKV writes a line of the result.
func (p *Peer) WriteKV(key, value []byte) error {
	if p.c.Output == nil {
		return errNoOutput()
	}
	return p.c.Output.WriteKV(key, value)
}

// Columns says what the keys and values of WriteKV are texts of, for outputs
// whose columns have names and types: int64, float64 or text. Without it they
// are texts called key and value. It is called before the first WriteKV.
func (p *Peer) Columns(key, value arrow.Field) {
	if o, ok := p.c.Output.(interface{ Columns(key, value arrow.Field) }); ok {
		o.Columns(key, value)
	}
}

// WriteRecord writes rows of the result. All records of a job have one schema.
func (p *Peer) WriteRecord(rec arrow.Record) error {
	if p.c.Output == nil {
		return errNoOutput()
	}
	return p.c.Output.WriteRecord(rec)
}

func errNoOutput() error {
	return core.Errorf(core.Invalid, "the program writes rows and the job has no output").At("spec.output").Do("set spec.output.path")
}
