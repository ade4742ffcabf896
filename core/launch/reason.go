package launch

import "fmt"

// Reason puts an exit code into words: 128+n is signal n.
func Reason(code int) string {
	switch {
	case code < 0:
		return "ended while no host watched"
	case code > 128 && code <= 128+64:
		return fmt.Sprintf("killed by signal %d", code-128)
	default:
		return fmt.Sprintf("exit status %d", code)
	}
}
