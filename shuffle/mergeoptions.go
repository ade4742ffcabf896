package shuffle

import "errors"

// MergeOptions says where a merged object goes. The zero value is a file.
type MergeOptions struct {
	// Sync is as in [WriterOptions].
	Sync bool
	// Durability of the merged object: disk, the default, or one of the store's.
	Durability Durability
	// Objects, Object and Uploads are as in [PartitionedOptions].
	Objects Objects
	Object  string
	Uploads *Uploads
}

func (o *MergeOptions) check() error {
	var err error
	if o.Durability, err = ParseDurability(string(o.Durability)); err != nil {
		return err
	}
	if o.Durability == DurableMemory {
		return errors.New("durability memory has nothing to merge for: its readers take the objects as they are")
	}
	return checkStore(o.Durability, o.Objects, o.Object, o.Uploads)
}
