package host

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/launch"
)

// checkPlan makes sure that a plan asks for nothing it must not have, and that
// everything it names is here.
func (h *Host) checkPlan(p *core.Plan) error {
	names := map[string]bool{}
	for _, g := range p.Gangs {
		if names[g.Name] {
			return core.Errorf(core.Invalid, "the plan has two gangs called %q", g.Name).Do("report it to the framework's author")
		}
		names[g.Name] = true
		if err := h.checkAsk(g); err != nil {
			return err
		}
	}
	return nil
}

// checkAsk is checkPlan for one gang.
func (h *Host) checkAsk(g core.GangAsk) error {
	if !launch.ValidID(g.Name) || len(g.Name) > 63 {
		return core.Errorf(core.Invalid, "a gang cannot be called %q", g.Name).Do("use letters, digits, '.', '_' and '-', at most 63")
	}
	if g.Array != "" {
		if _, err := core.ParseArray(g.Array); err != nil {
			return core.Errorf(core.Invalid, "%v", err).At("metadata.array")
		}
	}
	for _, path := range g.ReadOnly {
		if within(path, h.cfg.StateDir) || within(h.cfg.StateDir, path) {
			return core.Errorf(core.Denied, "the job would read %s, and the host keeps its keys in %s", path, h.cfg.StateDir).
				Do("name a narrower folder, or move the host's state with --state")
		}
	}
	if err := checkVolumes(g); err != nil {
		return err
	}
	need := []string{}
	if g.Program != "" {
		need = append(need, g.Program)
	}
	for _, f := range g.Files {
		need = append(need, f.SHA256)
	}
	for _, sum := range need {
		if b, err := hex.DecodeString(sum); err != nil || len(b) != sha256.Size {
			return core.Errorf(core.Invalid, "the job ships a file under %q, which is no SHA-256", sum)
		}
		if !h.shipped.has(sum) {
			return core.Errorf(core.Invalid, "the job ships a file that was not uploaded (sha256 %s)", sum).Do("submit with `capstan submit`, which uploads it")
		}
	}
	return nil
}

// checkGrants refuses what the plan's grants do not cover: the attempt's door
// was opened for those.
func checkGrants(asked, planned []core.StoreGrant) error {
	for _, g := range asked {
		covers := func(p core.StoreGrant) bool {
			return strings.HasPrefix(g.Prefix, p.Prefix) && (p.Write || !g.Write)
		}
		if !slices.ContainsFunc(planned, covers) {
			return core.Errorf(core.Denied, "a gang asks for %s in the store, which the job's plan does not", g.Prefix).
				Do("have the framework's Plan name it")
		}
	}
	return nil
}

// within reports whether path is dir or lies in it.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}
