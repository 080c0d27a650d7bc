package audit

import (
	"slices"
	"time"

	"assay/streams"
)

// Report is what an audit found.
type Report struct {
	Workflow string    `json:"workflow,omitempty"` // "": all
	AsOf     time.Time `json:"as_of"`              // when the tables were as they were compared
	Stale    string    `json:"stale,omitempty"`    // how the tables were derived, if that explains differences
	FirstSeq uint64    `json:"first_seq"`          // of BRONZE, that the log still has
	LastSeq  uint64    `json:"last_seq"`           // that was compared; later ones were not in the tables yet
	Frames   uint64    `json:"frames"`
	// Lost are frames that the log had and has no more, although no limit took them.
	Lost        []streams.Stretch `json:"lost,omitempty"`
	Events      uint64            `json:"events"`
	Resumed     uint64            `json:"resumed,omitempty"` // frames of them that an interrupted audit had compared
	Tables      []Tally           `json:"tables"`
	Differences []Difference      `json:"differences"`       // up to Options.ListMax
	Omitted     uint64            `json:"omitted,omitempty"` // differences beyond it
	Seconds     float64           `json:"seconds"`
}

// Clean reports whether the tables are what the log says, and the log has what it should.
func (r *Report) Clean() bool { return len(r.Differences) == 0 && len(r.Lost) == 0 }

// Unprovable reports whether there are rows that follow, also, from frames which have left the log.
func (r *Report) Unprovable() bool {
	return r.FirstSeq > 1 && slices.ContainsFunc(r.Tables, func(t Tally) bool { return t.Unprovable > 0 })
}

// Tally counts the rows of one table, or the letters of DEAD.
type Tally struct {
	Table      string `json:"table"`
	Expected   uint64 `json:"expected"`
	Stored     uint64 `json:"stored"` // of those looked at
	Missing    uint64 `json:"missing"`
	Unexpected uint64 `json:"unexpected"`
	Different  uint64 `json:"different"`
	Unprovable uint64 `json:"unprovable,omitempty"` // whose frames have left the log, and letters that may have left DEAD by its limits
}

// Finding says what is wrong with a row.
type Finding string

// The findings.
const (
	Missing    Finding = "missing"    // the log says that there is such a row
	Unexpected Finding = "unexpected" // it does not, or the row is there twice
	Different  Finding = "different"  // there is, with other values
)

// Difference is one row, or letter, that is not what the log says.
type Difference struct {
	Table     string   `json:"table"`
	Key       string   `json:"key"`
	Finding   Finding  `json:"finding"`
	Columns   []string `json:"columns,omitempty"`    // that differ
	BronzeSeq uint64   `json:"bronze_seq,omitempty"` // of the row's frame, or of its entity's first; 0: of no one frame
	Position  *uint64  `json:"position,omitempty"`   // of the event in its stream

	entity string // that the row is about, "" if about none
}

// add counts a difference and lists it if there is room.
func (r *Report) add(t *Tally, d Difference, listMax int) {
	switch d.Finding {
	case Missing:
		t.Missing++
	case Unexpected:
		t.Unexpected++
	case Different:
		t.Different++
	}
	if len(r.Differences) >= listMax {
		r.Omitted++
		return
	}
	d.Table = t.Table
	r.Differences = append(r.Differences, d)
}
