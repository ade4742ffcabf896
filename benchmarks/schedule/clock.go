package schedule

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// threadCPU is what the calling thread has used. Whoever compares two must not
// change threads in between: see runtime.LockOSThread.
func threadCPU() time.Duration { return clock(unix.CLOCK_THREAD_CPUTIME_ID) }

// processCPU is what this process has used, garbage collection included.
func processCPU() time.Duration { return clock(unix.CLOCK_PROCESS_CPUTIME_ID) }

func clock(id int32) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(id, &t); err != nil {
		panic("schedule: clock_gettime: " + err.Error()) // the clocks are part of Linux
	}
	return time.Duration(t.Nano())
}

// durations is samples.
type durations []time.Duration

// summary is percentiles in milliseconds.
type summary struct{ p50, p99, max float64 }

func (d durations) summary() summary {
	if len(d) == 0 {
		return summary{}
	}
	s := slices.Clone(d)
	slices.Sort(s)
	at := func(part float64) float64 { return millis(s[int(part*float64(len(s)-1))]) }
	return summary{at(0.5), at(0.99), at(1)}
}

func (d durations) sum() time.Duration {
	var sum time.Duration
	for _, v := range d {
		sum += v
	}
	return sum
}

func millis(d time.Duration) float64 { return float64(d) / 1e6 }

// times is what single steps took, of this thread's CPU and of the wall.
type times struct{ cpu, wall durations }

// of times f, and counts it.
func (t *times) of(f func()) {
	wall, cpu := time.Now(), threadCPU()
	f()
	t.cpu = append(t.cpu, threadCPU()-cpu)
	t.wall = append(t.wall, time.Since(wall))
}

// cost is what a stretch of work took of the whole process.
type cost struct{ cpu, wall time.Duration }

func measure(f func()) cost {
	wall, cpu := time.Now(), processCPU()
	f()
	return cost{processCPU() - cpu, time.Since(wall)}
}
