package shuffle

import "fmt"

// Durability says how much an exchange must outlive. It is chosen per edge:
// between which two stages data moves.
type Durability string

const (
	// DurableMemory keeps an object in memory where it fits the writer's
	// budget and the arena, and on disk where it does not: lost with what holds
	// the memory, then its producer runs again. The cheapest.
	DurableMemory Durability = "memory"
	// DurableDisk writes a file: lost with the machine's disk. The default.
	DurableDisk Durability = "disk"
	// DurableStoreAsync writes a file and uploads it in the background: lost
	// with the machine until the upload is done.
	DurableStoreAsync Durability = "s3-async"
	// DurableStore uploads before Commit returns: lost with the store.
	DurableStore Durability = "s3-sync"
)

// ParseDurability reads the name of a durability; "" is disk.
func ParseDurability(s string) (Durability, error) {
	switch d := Durability(s); d {
	case DurableMemory, DurableDisk, DurableStoreAsync, DurableStore:
		return d, nil
	case "":
		return DurableDisk, nil
	}
	return "", fmt.Errorf("durability %q is not known: use memory, disk, s3-async or s3-sync", s)
}
