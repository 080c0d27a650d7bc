package capture

import (
	"context"
	"slices"
	"sync"

	"assay/streams"
)

// Stored tells which frames of source streams the log has under a subject, by stream: Log.StreamFrames.
type Stored func(ctx context.Context, subject string, streams ...string) (map[string]Frames, error)

// of is the answer for one stream. A nil Stored has nothing.
func (s Stored) of(ctx context.Context, source streams.Source, workflow, stream string) (Frames, error) {
	found, err := s.all(ctx, source, workflow, stream)
	return found[stream], err
}

// all is the answer for several streams of a workflow.
func (s Stored) all(ctx context.Context, source streams.Source, workflow string, names ...string) (map[string]Frames, error) {
	if s == nil {
		return nil, nil
	}
	return s(ctx, streams.Subject(source, workflow), names...)
}

// lookup is a Stored that is asked about many inputs. It asks once about all that share a workflow, because each answer
// takes a look at everything in that workflow, and forgets the answer with the last of them.
type lookup struct {
	stored Stored

	mu     sync.Mutex
	groups map[string]*group // by workflow
}

// group are the inputs of one workflow.
type group struct {
	streams []string
	left    int // inputs that are not done
	answers map[streams.Source]func() (map[string]Frames, error)
}

func newLookup(stored Stored, inputs []Input) *lookup {
	l := &lookup{stored: stored, groups: map[string]*group{}}
	for _, in := range inputs {
		g := l.groups[in.Workflow]
		if g == nil {
			g = &group{answers: map[streams.Source]func() (map[string]Frames, error){}}
			l.groups[in.Workflow] = g
		}
		g.streams = append(g.streams, in.Stream)
		g.left++
	}
	return l
}

// of is the answer for one input.
func (l *lookup) of(ctx context.Context, source streams.Source, in Input) (Frames, error) {
	if l.stored == nil {
		return nil, nil
	}
	if !l.has(in) { // one that only the input's content tells
		return l.stored.of(ctx, source, in.Workflow, in.Stream)
	}
	found, err := l.answer(ctx, source, in.Workflow)()
	return found[in.Stream], err
}

// has reports whether what is asked about a workflow covers the input's stream.
func (l *lookup) has(in Input) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.groups[in.Workflow]
	return g != nil && slices.Contains(g.streams, in.Stream)
}

// answer returns the function that all who want the same answer call: the first of them asks, the others wait.
func (l *lookup) answer(ctx context.Context, source streams.Source, workflow string) func() (map[string]Frames, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.groups[workflow]
	if g.answers[source] == nil {
		g.answers[source] = sync.OnceValues(func() (map[string]Frames, error) {
			return l.stored(ctx, streams.Subject(source, workflow), g.streams...)
		})
	}
	return g.answers[source]
}

// done forgets what no other input will ask for.
func (l *lookup) done(in Input) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.groups[in.Workflow]
	if g.left--; g.left == 0 {
		delete(l.groups, in.Workflow)
	}
}
