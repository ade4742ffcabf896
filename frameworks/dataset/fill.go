package dataset

// Fill sets what a document left out.
func (i *Input) Fill() {
	fill(&i.Format, "text")
	fill(&i.Encoding, "utf-8")
	fill(&i.Delimiter, ",")
	fill(&i.MaxRecord, DefaultMaxRecord)
	if i.Format == "fixed" {
		fill(&i.KeyLength, i.RecordLength)
	}
	if i.Header == nil {
		i.Header = new(true)
	}
}

// Fill sets what a document left out.
func (o *Output) Fill() {
	fill(&o.Format, "text")
	fill(&o.IfExists, "fail")
	if o.Compression == "" {
		o.Compression = "none"
		if o.Format == "parquet" {
			o.Compression = "zstd"
		}
	}
}

func fill[T comparable](field *T, def T) {
	var zero T
	if *field == zero {
		*field = def
	}
}
