package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"assay/consumers/bronze"
	"assay/internal/config"
	"assay/internal/ops/rebuild"
	"assay/internal/price"
)

// derivation is what, besides the log, decides what the tables say. It is kept beside the state, which is made anew with the
// tables.
type derivation struct {
	Decoders  int                   `json:"decoders"` // bronze.Version
	Namespace string                `json:"namespace"`
	Keys      map[string]config.Key `json:"keys,omitempty"`
	Threshold float64               `json:"decay_threshold"`
	Marker    string                `json:"repair_marker_regex"`
	Lookback  int                   `json:"max_lookback_window"`
	Prices    string                `json:"prices"` // digest of the table
}

// derivation is that of this program with its settings.
func (p *Pipeline) derivation() derivation {
	c := p.opts.Config
	return derivation{
		Decoders: bronze.Version, Namespace: c.Namespace, Keys: c.Keys,
		Threshold: c.Gate.DecayThreshold, Marker: c.Gate.RepairMarkerRegex, Lookback: c.Gate.MaxLookbackWindow, Prices: price.Digest(c.Prices),
	}
}

// checkDerivation notes how the tables are derived if there are none yet, and else what has changed since.
func (p *Pipeline) checkDerivation() error {
	p.stale = ""
	file, now := filepath.Join(p.opts.Config.Data, stateDir, rebuild.DerivationFile), p.derivation()
	if p.gold.Totals().Events == 0 {
		if err := rebuild.WriteDurably(file, now.encode()); err != nil {
			return fmt.Errorf("note how the tables are derived: %w", err)
		}
		return nil
	}
	var then derivation
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		p.stale = "the tables were derived by an earlier version of this program: run `assay rebuild`"
		return nil
	}
	if err == nil {
		err = json.Unmarshal(text, &then)
	}
	if err != nil {
		return fmt.Errorf("read how the tables were derived: %w; `assay rebuild` after removing %s writes it anew", err, file)
	}
	if changed := now.changes(then); len(changed) > 0 {
		p.stale = "the tables were derived with other " + strings.Join(changed, ", ") +
			": change the settings back if that was not meant, or run `assay rebuild`"
	}
	return nil
}

func (d derivation) encode() []byte {
	text, err := json.Marshal(d)
	if err != nil {
		panic(err) // texts and numbers always marshal
	}
	return text
}

// changes names what is different in another derivation.
func (d derivation) changes(then derivation) (names []string) {
	if d.Decoders != then.Decoders {
		names = append(names, fmt.Sprintf("decoders (version %d, now %d)", then.Decoders, d.Decoders))
	}
	if d.Namespace != then.Namespace {
		names = append(names, "namespace")
	}
	if len(d.Keys)+len(then.Keys) > 0 && !reflect.DeepEqual(d.Keys, then.Keys) {
		names = append(names, "keys")
	}
	if d.Threshold != then.Threshold || d.Marker != then.Marker || d.Lookback != then.Lookback {
		names = append(names, "gate")
	}
	if d.Prices != then.Prices {
		names = append(names, "prices")
	}
	return names
}
