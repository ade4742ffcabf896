package simulate

import "testing"

// TestLongestWaits: a gang whose walltime is days, and with it the slack of its
// promise, waits little longer than the longest would in strict order of arrival,
// whatever the load and however long its lines are; and the kernel stays ahead of
// easy on both means.
func TestLongestWaits(t *testing.T) {
	for _, m := range []Model{
		{Seed: 1, Jobs: 3000, CPUs: 256, Load: 0.5},
		{Seed: 6, Jobs: 3000, CPUs: 256, Load: 0.85},
	} {
		w, err := m.Workload()
		if err != nil {
			t.Fatal(err)
		}
		fcfs, easy, got := run(t, w, "fcfs").Summary(), run(t, w, "easy").Summary(), run(t, w, Kernel).Summary()
		t.Logf("%s: wait %.0f s (easy %.0f s), slowdown %.1f (%.1f), longest %.0f s (fcfs %.0f s), %d of %d promises kept", w.Name,
			got.Wait.Mean, easy.Wait.Mean, got.Slowdown.Mean, easy.Slowdown.Mean, got.Wait.Max, fcfs.Wait.Max, got.Promises.Kept, got.Promises.Made)
		if got.Wait.Max > 1.25*fcfs.Wait.Max {
			t.Errorf("%s: somebody waits for %.0f s, and under fcfs for at most %.0f s", w.Name, got.Wait.Max, fcfs.Wait.Max)
		}
		if got.Wait.Mean > easy.Wait.Mean || got.Slowdown.Mean > easy.Slowdown.Mean {
			t.Errorf("%s: the kernel is behind easy", w.Name)
		}
		if got.Promises.Share() < 0.99 {
			t.Errorf("%s: %d of %d promises were kept", w.Name, got.Promises.Kept, got.Promises.Made)
		}
	}
}
