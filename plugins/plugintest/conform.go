package plugintest

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/capstan-run/capstan/core"
)

// Conform checks what the host relies on: that the description is whole and
// the same each time, that spec satisfies the schema, that planning is pure,
// that a job of it runs with gangs of one, two and three (and, if the kind is
// long-running, does not end by itself), and that the coordinator ends when it
// is asked to cancel or its context ends.
func Conform(t *testing.T, f core.Framework, spec core.Spec, o Options) {
	t.Run("describe", func(t *testing.T) { conformDescribe(t, f, spec) })
	t.Run("plan", func(t *testing.T) { conformPlan(t, f, spec) })
	for _, size := range []int{1, 2, 3} {
		t.Run("run/"+string(rune('0'+size)), func(t *testing.T) {
			o := o
			o.Size = size
			if f.Describe().LongRunning {
				conformLasting(t, f, spec, o)
				return
			}
			if _, err := Run(t, f, spec, o); err != nil {
				t.Errorf("a gang of %d: %v", size, err)
			}
		})
	}
	t.Run("cancel", func(t *testing.T) {
		o := o
		o.On = func(g *Gang, e core.Event) {
			if _, up := e.(core.GangUp); up {
				g.Cancel("test")
			}
		}
		// A quick job may win over the cancel; another error must not.
		if _, err := Run(t, f, spec, o); err != nil && core.KindOf(err) != core.Cancelled {
			t.Errorf("a cancelled job ends with %v, want kind %s", err, core.Cancelled)
		}
	})
	t.Run("context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		o := o
		o.On = func(_ *Gang, e core.Event) {
			if _, up := e.(core.GangUp); up {
				cancel()
			}
		}
		if _, err := NewGang(t, f, spec, o).Run(ctx); err == nil {
			t.Error("the coordinator reports success though its attempt was fenced")
		}
		cancel()
	})
}

// conformLasting runs a job that ends when it is cancelled, once every executor
// of its gangs is up.
func conformLasting(t *testing.T, f core.Framework, spec core.Spec, o Options) {
	up, on := 0, o.On
	o.On = func(g *Gang, e core.Event) {
		if on != nil {
			on(g, e)
		}
		if e, ok := e.(core.GangUp); ok {
			if up += e.Size; up == o.Size {
				g.Cancel("test")
			}
		}
	}
	if _, err := Run(t, f, spec, o); core.KindOf(err) != core.Cancelled {
		t.Errorf("%d executors: it ends with %v, want kind %s", o.Size, err, core.Cancelled)
	}
}

func conformDescribe(t *testing.T, f core.Framework, spec core.Spec) {
	d := f.Describe()
	again, err1 := json.Marshal(f.Describe())
	first, err2 := json.Marshal(d)
	if err1 != nil || err2 != nil || !bytes.Equal(first, again) {
		t.Errorf("two descriptions differ: %s, %s (%v, %v)", first, again, err1, err2)
	}
	if d.Kind == "" || d.Version == "" || d.Summary == "" || d.Example == "" {
		t.Errorf("the description lacks kind, version, summary or example: %+v", d)
	}
	if spec.Kind != d.Kind {
		t.Errorf("the spec is of kind %q, the framework of %q", spec.Kind, d.Kind)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(d.Schema))
	if err != nil {
		t.Fatalf("schema: %v", err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("spec.json", doc); err != nil {
		t.Fatalf("schema: %v", err)
	}
	schema, err := c.Compile("spec.json")
	if err != nil {
		t.Fatalf("schema: %v", err)
	}
	body, err := jsonschema.UnmarshalJSON(bytes.NewReader(spec.Body))
	if err != nil {
		t.Fatalf("spec: %v", err)
	}
	if err := schema.Validate(body); err != nil {
		t.Errorf("the spec does not satisfy the schema: %v", err)
	}
}

func conformPlan(t *testing.T, f core.Framework, spec core.Spec) {
	if spec.Gang.Size == 0 {
		spec.Gang.Size = 2
	}
	job := &core.Job{ID: "test", Spec: spec}
	before, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	var plans [2][]byte
	for i := range plans {
		plan, err := f.Plan(t.Context(), job)
		if err != nil {
			t.Fatalf("plan: %v", err)
		}
		if len(plan.Gangs) == 0 {
			t.Error("the plan wants no gang")
		}
		if plans[i], err = json.Marshal(plan); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(plans[0], plans[1]) {
		t.Errorf("two plans of one job differ:\n%s\n%s", plans[0], plans[1])
	}
	if after, _ := json.Marshal(job); !bytes.Equal(before, after) {
		t.Errorf("planning changed the job:\n%s\n%s", before, after)
	}
}
