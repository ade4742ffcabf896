package host

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// A volume is its job's until that has ended, also while no gang has it; then it
// can be removed, once.
func TestVolumeIsRemovedOnceItIsFree(t *testing.T) {
	s := newStage(t)
	id := s.submit(1, 0)
	s.started()
	c := s.scene()
	if err := c.WantGang(volumeAsk("copy", "play.data.0")); err != nil {
		t.Fatal(err)
	}
	ex := s.started()
	if err := os.WriteFile(filepath.Join(s.h.volumeDir("play.data.0"), "rows"), make([]byte, 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	s.volumes(VolumeView{Volume: "play.data.0", Bytes: 1000, Job: id})
	s.keeps("play.data.0", core.Conflict)
	if err := c.ReleaseGang("copy"); err != nil {
		t.Fatal(err)
	}
	s.until(id, "the release", func(core.Job) bool { return s.count(id, "released") == 1 })
	s.keeps("play.data.0", core.Conflict)

	stranger := s.submit(1, 0)
	s.started()
	other := s.scene()
	if err := other.WantGang(volumeAsk("thief", "play.data.0")); err != nil {
		t.Fatal(err)
	}
	if e, ok := other.next(t).(core.GangRefused); !ok || core.KindOf(e.Err) != core.Conflict {
		t.Errorf("a volume between two gangs of its job: %#v", e)
	}
	other.end <- nil
	s.until(stranger, "its end", ended)

	s.close() // and a host that comes back knows
	s.open()
	s.keeps("play.data.0", core.Conflict)
	s.join(id, true, s.l.left()...)
	s.scene().end <- nil
	s.until(id, "its end", ended)
	s.idle()
	for _, bad := range []string{"", ".", "..", "../journal.db", "none", ".removed-x"} {
		s.keeps(bad, core.NotFound)
	}
	if err := s.h.RemoveVolume("play.data.0"); err != nil {
		t.Fatal(err)
	}
	s.volumes()
	s.keeps("play.data.0", core.NotFound)
	if left, _ := filepath.Glob(s.h.volumeDir("*")); len(left) > 0 {
		t.Errorf("%v and %v are left", left, ex)
	}
}

// What a killed host had begun to remove is no volume, and goes.
func TestVolumeRemovalGoesOn(t *testing.T) {
	dir := t.TempDir()
	trash := filepath.Join(dir, "volumes", removing+"web.data.0")
	if err := os.MkdirAll(filepath.Join(trash, "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := newStageAt(t, dir)
	s.volumes()
	s.idle()
	s.close()
	if _, err := os.Stat(trash); !os.IsNotExist(err) {
		t.Errorf("it is still there (%v)", err)
	}
}

// volumes holds that the host lists these, but for when they changed.
func (s *stage) volumes(want ...VolumeView) {
	s.t.Helper()
	got, err := s.h.Volumes(s.t.Context())
	if err != nil || len(got) != len(want) {
		s.t.Fatalf("volumes %+v, %v; want %+v", got, err, want)
	}
	for i := range got {
		if got[i].Changed.IsZero() {
			s.t.Errorf("volume %s has never changed", got[i].Volume)
		}
		got[i].Changed = want[i].Changed
		if got[i] != want[i] {
			s.t.Errorf("got %+v, want %+v", got[i], want[i])
		}
	}
}

// keeps holds that a volume is not removed, and why.
func (s *stage) keeps(name string, kind core.ErrKind) {
	s.t.Helper()
	if err := s.h.RemoveVolume(name); core.KindOf(err) != kind {
		s.t.Errorf("remove volume %q: %v, want %s", name, err, kind)
	}
}
