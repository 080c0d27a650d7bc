package capture

import (
	"container/list"
	"context"
	"sync"

	"assay/streams"
)

// endsMax is how many streams ends remembers; the end of another one is looked up in all that the log has of its workflow.
const endsMax = 4096

// End tells where a source stream under a subject ends, as far as the frames behind the sequence after say, and the last
// sequence under the subject: Log.StreamEnd.
type End func(ctx context.Context, subject, stream string, after uint64) (position, last uint64, err error)

// ends remembers where the streams that were asked for last end, and looks at what the log has got since. It is never
// wrong, whoever else writes to the log, and asking again costs only what is new.
type ends struct {
	look End

	mu     sync.Mutex
	byName map[streamName]*list.Element // of recent
	recent list.List                    // of *streamEnd, the one used last in front
}

type streamName struct{ subject, stream string }

type streamEnd struct {
	streamName
	position, sequence uint64
}

func newEnds(look End) *ends { return &ends{look: look, byName: map[streamName]*list.Element{}} }

// of returns the position after the last event of a stream.
func (e *ends) of(ctx context.Context, source streams.Source, workflow, stream string) (uint64, error) {
	name := streamName{streams.Subject(source, workflow), stream}
	end := e.recall(name)
	position, sequence, err := e.look(ctx, name.subject, name.stream, end.sequence)
	if err != nil {
		return 0, err
	}
	return e.remember(streamEnd{name, max(position, end.position), sequence}), nil
}

func (e *ends) recall(name streamName) streamEnd {
	e.mu.Lock()
	defer e.mu.Unlock()
	if known := e.byName[name]; known != nil {
		return *known.Value.(*streamEnd)
	}
	return streamEnd{streamName: name}
}

// remember keeps what two who asked at once know together, and forgets what was not asked for longest.
func (e *ends) remember(end streamEnd) (position uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	known := e.byName[end.streamName]
	if known == nil {
		known = e.recent.PushFront(&streamEnd{streamName: end.streamName})
		e.byName[end.streamName] = known
	}
	e.recent.MoveToFront(known)
	was := known.Value.(*streamEnd)
	was.position, was.sequence = max(was.position, end.position), max(was.sequence, end.sequence)
	if e.recent.Len() > endsMax {
		oldest := e.recent.Remove(e.recent.Back()).(*streamEnd)
		delete(e.byName, oldest.streamName)
	}
	return was.position
}
