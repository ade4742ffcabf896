package work

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/capstan-run/capstan/frameworks/bsp/task"
)

// manifest is what a rank's part of a checkpoint consists of. It is the last
// section of the part's file.
type manifest struct {
	Incarnation int                `json:"incarnation"`
	Superstep   int64              `json:"superstep"`
	Sections    map[string]section `json:"sections"`
}

// section is where a section lies. What never changes was written with the part
// of an earlier superstep, may be another incarnation's, and has a file of its own.
type section struct {
	Superstep int64  `json:"superstep"`
	File      string `json:"file"`
	Number    uint32 `json:"number"` // in the file
	Bytes     int64  `json:"bytes"`
}

// manifestSection is the number of the manifest's section.
const manifestSection = 0

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

// bytes that this checkpoint added.
func (m *manifest) bytes() int64 {
	var n int64
	for _, s := range m.Sections {
		if s.Superstep == m.Superstep {
			n += s.Bytes
		}
	}
	return n
}

// files are the part's own and those that it refers to.
func (m *manifest) files(rank int) []string {
	files := []string{partName(m.checkpoint(), rank)}
	for _, s := range m.Sections {
		if s.File != files[0] {
			files = append(files, s.File)
		}
	}
	return files
}

func readManifest(f io.ReadCloser) (*manifest, error) {
	text, err := io.ReadAll(newUnframed(f, manifestSection, -1))
	if err != nil {
		return nil, err
	}
	m := new(manifest)
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("%w: %v", errDamaged, err)
	}
	return m, nil
}

// partName is the file of a rank's part of c.
func partName(c task.Checkpoint, rank int) string {
	return fmt.Sprintf("%06d-%012d-%05d.part", c.Incarnation, c.Superstep, rank)
}

// fixedName is the file of a section of it that never changes.
func fixedName(c task.Checkpoint, rank int, name string) string {
	return fmt.Sprintf("%06d-%012d-%05d-%s.section", c.Incarnation, c.Superstep, rank, name)
}

// nameOf reads the front of either name.
func nameOf(file string) (c task.Checkpoint, rank int, ok bool) {
	n, err := fmt.Sscanf(file, "%06d-%012d-%05d", &c.Incarnation, &c.Superstep, &rank)
	return c, rank, n == 3 && err == nil
}
