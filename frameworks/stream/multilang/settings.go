package multilang

import "time"

// settings are what Storm's config says of processes.
type settings struct {
	timeout time.Duration // law M4
	tick    time.Duration // between tick tuples; 0: none
	pending int           // tuples under way at a bolt
	unacked int           // of a spout; 0: any number
	legacy  bool          // no heartbeats, no activate
	// unforeseen keeps task ids from being written ahead.
	unforeseen bool
}

func settingsOf(conf map[string]any) settings {
	seconds := func(key string) time.Duration {
		n, _ := conf[key].(float64)
		return time.Duration(n * float64(time.Second))
	}
	number := func(key string, def int) int {
		if n, ok := conf[key].(float64); ok && n >= 1 {
			return int(n)
		}
		return def
	}
	s := settings{timeout: seconds("topology.subprocess.timeout.secs"), tick: seconds("topology.tick.tuple.freq.secs"),
		pending: number("topology.shellbolt.max.pending", 256), unacked: number("topology.max.spout.pending", 0)}
	if s.timeout <= 0 {
		s.timeout = seconds("supervisor.worker.timeout.secs")
	}
	if s.timeout <= 0 {
		s.timeout = 30 * time.Second
	}
	if told, ok := conf["capstan.multilang.ahead"].(bool); ok {
		s.unforeseen = !told
	}
	s.legacy, _ = conf["capstan.multilang.legacy"].(bool)
	return s
}
