package flux

// document is a Flux file, field by field as Flux has them.
type document struct {
	Name           string         `json:"name"`
	Config         map[string]any `json:"config"`
	Components     []vertex       `json:"components"`
	Includes       []include      `json:"includes"`
	Spouts         []vertex       `json:"spouts"`
	Bolts          []vertex       `json:"bolts"`
	Streams        []stream       `json:"streams"`
	WorkerHooks    []vertex       `json:"workerHooks"`
	TopologySource *object        `json:"topologySource"`
}

// object is one that Storm would make by reflection.
type object struct {
	ClassName       string     `json:"className"`
	ConstructorArgs []any      `json:"constructorArgs"`
	Properties      []property `json:"properties"`
	ConfigMethods   []method   `json:"configMethods"`
	Factory         string     `json:"factory"`
	FactoryArgs     []any      `json:"factoryArgs"`
	MethodName      string     `json:"methodName"` // of a topologySource
}

// vertex is a spout or a bolt, and also a component, which has fewer fields.
type vertex struct {
	object
	ID                string         `json:"id"`
	Parallelism       int            `json:"parallelism"`
	NumTasks          int            `json:"numTasks"`
	OnHeapMemoryLoad  int            `json:"onHeapMemoryLoad"`
	OffHeapMemoryLoad int            `json:"offHeapMemoryLoad"`
	CPULoad           int            `json:"cpuLoad"`
	Config            map[string]any `json:"config"`

	at string // where it stands: "bolts.1", or "includes.0.file!bolts.1"
}

type property struct {
	Name    string   `json:"name"`
	Value   any      `json:"value"`
	Ref     string   `json:"ref"`
	Reflist []string `json:"reflist"`
}

type method struct {
	Name string `json:"name"`
	Args []any  `json:"args"`
}

type include struct {
	Resource bool   `json:"resource"`
	File     string `json:"file"`
	Override bool   `json:"override"`
}

type stream struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"` // not used, as in Storm
	From     string   `json:"from"`
	To       string   `json:"to"`
	Grouping grouping `json:"grouping"`

	at string
}

type grouping struct {
	Type        string   `json:"type"`
	StreamID    string   `json:"streamId"`
	Args        []string `json:"args"`
	CustomClass *object  `json:"customClass"`
}
