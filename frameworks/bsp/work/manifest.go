package work

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/capstan-run/capstan/frameworks/bsp/task"
)

// manifest is what a rank's part of a checkpoint consists of.
type manifest struct {
	Incarnation int                `json:"incarnation"`
	Superstep   int64              `json:"superstep"`
	Sections    map[string]section `json:"sections"`
}

// section is one file of a part. What never changes was created under an earlier
// superstep, and may be another incarnation's.
type section struct {
	Superstep int64  `json:"superstep"`
	File      string `json:"file"`
	Bytes     int64  `json:"bytes"`
}

func (m *manifest) checkpoint() task.Checkpoint {
	return task.Checkpoint{Incarnation: m.Incarnation, Superstep: m.Superstep}
}

// created is peer.Resume.Sections.
func (m *manifest) created() map[string]int64 {
	all := map[string]int64{}
	for name, s := range m.Sections {
		all[name] = s.Superstep
	}
	return all
}

// bytes of the files that this checkpoint added.
func (m *manifest) bytes() int64 {
	var n int64
	for _, s := range m.Sections {
		if s.Superstep == m.Superstep {
			n += s.Bytes
		}
	}
	return n
}

// encode writes m as a section's file is written, checksum and all.
func (m *manifest) encode() ([]byte, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	f := newFrames(&b)
	if _, err := f.Write(text); err != nil {
		return nil, err
	}
	err = f.end()
	return b.Bytes(), err
}

func decodeManifest(f io.ReadCloser) (*manifest, error) {
	text, err := io.ReadAll(newUnframed(f))
	if err != nil {
		return nil, err
	}
	m := new(manifest)
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("%w: %v", errDamaged, err)
	}
	return m, nil
}

// manifestName is the file of a rank's part of c.
func manifestName(c task.Checkpoint, rank int) string {
	return fmt.Sprintf("%06d-%012d-%05d.part", c.Incarnation, c.Superstep, rank)
}

// sectionName is the file of one section of it.
func sectionName(c task.Checkpoint, rank int, name string) string {
	return fmt.Sprintf("%06d-%012d-%05d-%s.section", c.Incarnation, c.Superstep, rank, name)
}

// nameOf reads the front of either name.
func nameOf(file string) (c task.Checkpoint, rank int, ok bool) {
	n, err := fmt.Sscanf(file, "%06d-%012d-%05d", &c.Incarnation, &c.Superstep, &rank)
	return c, rank, n == 3 && err == nil
}
