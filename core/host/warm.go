package host

// warmPool keeps executors of the usual shapes ready.
type warmPool struct{ h *Host }

func newWarmPool(h *Host) *warmPool { return &warmPool{h} }

func (p *warmPool) take(*gangRun) *struct{} { return nil }
func (p *warmPool) joined(string)           {}
func (p *warmPool) close()                  {}
