package output

// Part is one file of the result, written under a name that carries its task
// try, and invisible until a manifest names it.
type Part struct {
	Name    string // final base name: "part-00003.parquet"
	Object  string // where its bytes lie now: "bucket/key" in the store
	Bytes   int64
	Rows    int64
	CRC32C  uint32
	Kind    string // "result", "dead-letter", "side"
	Ordinal int    // order among the parts
}
