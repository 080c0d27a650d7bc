package chaos

import (
	"context"
	"maps"
	"slices"
)

// Fault disturbs a run. What it does may depend on the run's Rng and on nothing else.
type Fault interface {
	// Prepare sets the stage before the program first starts: its settings, a file system for its data. It returns an error
	// that wraps ErrSkip where this machine does not let it.
	Prepare(ctx context.Context, r *Run) error
	// Strike disturbs the program while producers send. It may leave the fault in force; Heal ends it.
	Strike(ctx context.Context, r *Run) error
	// Heal ends the fault once all is sent. From then on the program must come to rest by itself.
	Heal(ctx context.Context, r *Run) error
	// Aftermath damages what lies on the disk, once the program has stopped, and takes the documented way back.
	Aftermath(ctx context.Context, r *Run) error
}

// calm is a fault that does nothing. The others embed it and do what they are about.
type calm struct{}

func (calm) Prepare(context.Context, *Run) error   { return nil }
func (calm) Strike(context.Context, *Run) error    { return nil }
func (calm) Heal(context.Context, *Run) error      { return nil }
func (calm) Aftermath(context.Context, *Run) error { return nil }

// loader is a fault that brings its own input.
type loader interface{ Load() *Load }

// faults are all that can be chosen, by name. Each run gets a new one.
var faults = map[string]func() Fault{
	"kill":         func() Fault { return kill{} },
	"point":        func() Fault { return &point{passes: 3} },
	"stop":         func() Fault { return stop{} },
	"power":        func() Fault { return &power{} },
	"power-strict": func() Fault { return &power{strict: true} },
	"io":           func() Fault { return &brokenDisk{} },
	"storm":        func() Fault { return &storm{} },
	"full":         func() Fault { return full{} },
	"twice":        func() Fault { return twice{} },
	"poison":       func() Fault { return &poison{} },
	"slow":         func() Fault { return &slow{} },
	"registry":     func() Fault { return badRegistry{} },
	"rot-log":      func() Fault { return &rot{files: logBlocks, log: true} },
	"rot-index":    func() Fault { return &rot{files: logIndex, log: true} },
	"rot-buffers":  func() Fault { return &rot{files: logBuffers, log: true} },
	"rot-consumer": func() Fault { return &rot{files: consumerStates, log: true} },
	"rot-state":    func() Fault { return &rot{files: stateStore} },
	"rot-manifest": func() Fault { return &rot{files: tableManifests} },
	"rot-data":     func() Fault { return &rot{files: tableData} },
	"memory":       func() Fault { return little{} },
	"many":         func() Fault { return many{} },
	"clock":        func() Fault { return &clock{} },
	"upgrade":      func() Fault { return &upgrade{} },
	"embeddings":   func() Fault { return &badEmbeddings{} },
	"bucket":       func() Fault { return &bucket{bucketPoint: bucketPoint{point: point{passes: 1}}} },
	"bucket-point": func() Fault { return &bucketPoint{point: point{passes: 1}} },
}

// beyond are faults that Assay does not survive, and does not promise to; see docs/reliability.md.
var beyond = []string{"power-strict"}

// Faults lists the names of the faults that Assay must survive.
func Faults() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(faults)), func(name string) bool { return slices.Contains(beyond, name) })
}
