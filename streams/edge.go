package streams

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// An edge is a log whose frames are forwarded to that of a hub. There they have subjects of their own,
//
//	bronze.<source>.<edge>.<workflow>
//
// and headers that say which sequence they have in the edge's log, and since when. A batch of them is stored only if it follows the
// last frame that the hub has of the edge: the hub's log compares the two as it stores. So each frame is in it once and in order,
// whatever is sent twice, by whomever and however late.

// Headers of a forwarded frame, besides those of a frame.
const (
	HeaderEdgeSequence = "Assay-Edge-Sequence" // in the log of the edge
	HeaderEdgeTime     = "Assay-Edge-Time"     // when that stored it
	HeaderEdgeDigest   = "Assay-Edge-Digest"   // of the body
)

// Limits of a batch of forwarded frames, unless it is one frame.
const (
	EdgeBatchMax      = batchFramesMax
	EdgeBatchBytesMax = 3 << 20
)

// edgeTimeout is how long a batch is tried while the hub's log does not answer.
const edgeTimeout = 30 * time.Second

// validEdge is what the name of an edge may be: a token of a subject.
var validEdge = regexp.MustCompile(`^[A-Za-z0-9_-]{1,96}$`)

// EdgeName is that of the log of a worker with a name: its own, also where another has the same name, or had.
func (l *Log) EdgeName(worker string) string { return worker + "-" + l.ID()[:8] }

// EdgeMsg renders a message of this log as the edge forwards it. What a bare frame leaves to defaults is written into it, with the
// edge's name, so that the frames of two edges never take each other's place.
func EdgeMsg(edge string, m Message) *nats.Msg {
	out := &nats.Msg{Header: nats.Header{}, Data: m.Data}
	frame, err := ParseFrame(m.Subject, m.Header, m.Data, m.Seq, m.Time)
	if err == nil {
		if m.Header.Get(HeaderStream) == "" || m.Header.Get(HeaderPosition) == "" {
			frame.Stream = edge + "/" + frame.Stream
		}
		rendered := frame.Msg()
		out.Header = rendered.Header
		out.Header.Del(nats.MsgIdHdr) // whose memory is short, and that frames of other edges may have
		out.Subject = edgeSubject(frame.Source, edge, frame.Workflow)
	} else { // it is as malformed there as here
		for name, values := range m.Header {
			if !strings.HasPrefix(name, "Nats-") {
				out.Header[name] = values
			}
		}
		source, workflow, _ := ParseSubject(m.Subject)
		if source == "" {
			source, workflow = SourceEvent, m.Subject
			out.Header.Set(HeaderCount, "of a frame whose subject is malformed")
		}
		out.Subject = edgeSubject(source, edge, workflow)
	}
	out.Header.Set(HeaderEdgeSequence, strconv.FormatUint(m.Seq, 10))
	out.Header.Set(HeaderEdgeTime, m.Time.UTC().Format(time.RFC3339Nano))
	out.Header.Set(HeaderEdgeDigest, bodyDigest(m.Data))
	return out
}

// edgeSubject has the edge before the workflow, so that all of an edge are found without looking at the workflows of others.
func edgeSubject(source Source, edge, workflow string) string {
	return "bronze." + string(source) + "." + edge + "." + EscapeToken(workflow)
}

// edgeFilter is what all subjects of an edge match.
func edgeFilter(edge string) string { return "bronze.*." + edge + ".*" }

// EdgeSequence is a forwarded frame's sequence in the log of its edge, 0 for a frame that was captured here.
func EdgeSequence(h nats.Header) uint64 { return parseUint(h.Get(HeaderEdgeSequence), 0) }

// EdgeTime is when its edge stored a forwarded frame, zero for one that was captured here.
func EdgeTime(h nats.Header) time.Time {
	at, err := time.Parse(time.RFC3339Nano, h.Get(HeaderEdgeTime))
	if err != nil {
		return time.Time{}
	}
	return at
}

// errOvertaken means that the log has more of an edge than was known, as after an answer that was lost.
var errOvertaken = errors.New("streams: the edge's frames have been stored meanwhile")

// EdgeEnd is the last that a log has of an edge.
type EdgeEnd struct {
	Sequence uint64 `json:"sequence"` // in the edge's log; 0: it has nothing of the edge
	Digest   string `json:"digest"`   // of that frame's body, as in its header
	stored   uint64 // in this log
}

// EdgeWriter stores what an edge forwards. It may be used by several goroutines.
type EdgeWriter struct {
	log  *Log
	edge string

	mu  sync.Mutex // one batch at a time
	end *EdgeEnd   // nil where it is not known
}

// EdgeWriter returns a writer for an edge. Errors wrap ErrFrame if that cannot be one's name.
func (l *Log) EdgeWriter(edge string) (*EdgeWriter, error) {
	if !validEdge.MatchString(edge) {
		return nil, fmt.Errorf("%w: %q is no name of an edge: use up to 96 letters, digits, - and _", ErrFrame, edge)
	}
	return &EdgeWriter{log: l, edge: edge}, nil
}

// End looks what the log has of the edge last.
func (w *EdgeWriter) End(ctx context.Context) (EdgeEnd, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.look(ctx)
}

func (w *EdgeWriter) look(ctx context.Context) (EdgeEnd, error) {
	last, err := w.log.bronze.GetLastMsgForSubject(ctx, edgeFilter(w.edge))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		w.end = &EdgeEnd{}
		return *w.end, nil
	case err != nil:
		return EdgeEnd{}, scanError(err)
	}
	seq := EdgeSequence(last.Header)
	if seq == 0 {
		return EdgeEnd{}, fmt.Errorf("%w: sequence %d on %s has no %s: somebody else publishes under the edge's name", ErrFrame,
			last.Sequence, last.Subject, HeaderEdgeSequence)
	}
	w.end = &EdgeEnd{Sequence: seq, Digest: last.Header.Get(HeaderEdgeDigest), stored: last.Sequence}
	return *w.end, nil
}

// Append stores messages of EdgeMsg, whose sequences must rise, and returns when they are durable. Those that the log has already,
// and older ones, are passed over. Errors wrap ErrFrame, ErrTooLarge, ErrFull or ErrUnavailable, or are the context's; then the first
// of the messages may be stored, and sending all again is safe.
func (w *EdgeWriter) Append(ctx context.Context, msgs []*nats.Msg) error {
	if err := w.check(msgs); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(msgs) > 0 {
		n := edgeBatch(msgs)
		if err := w.appendBatch(ctx, msgs[:n]); err != nil {
			return err
		}
		msgs = msgs[n:]
	}
	return nil
}

// check keeps out what would spoil the order of the edge's frames, or be another's.
func (w *EdgeWriter) check(msgs []*nats.Msg) error {
	last := uint64(0)
	limit := w.log.MessageBytesMax()
	for _, m := range msgs {
		if size := m.Size() + batchHeaderBytesMax + 2*len(edgeFilter(w.edge)); size > limit {
			return fmt.Errorf("%w: the frame with sequence %d of edge %s has %d bytes with headers, the limit is %d: raise max_payload", ErrTooLarge,
				EdgeSequence(m.Header), w.edge, size, limit)
		}
		parts := strings.Split(m.Subject, ".")
		if len(parts) != 4 || parts[0] != "bronze" || !Source(parts[1]).Valid() || parts[2] != w.edge || len(m.Subject) > 2*SubjectBytesMax ||
			parts[3] == "" || strings.ContainsAny(parts[3], " *>\t\r\n") {
			return fmt.Errorf("%w: %.100q is no subject of edge %s", ErrFrame, m.Subject, w.edge)
		}
		seq := EdgeSequence(m.Header)
		if seq <= last || EdgeTime(m.Header).IsZero() {
			return fmt.Errorf("%w: %s is %q after %d, and %s %q", ErrFrame, HeaderEdgeSequence, m.Header.Get(HeaderEdgeSequence), last,
				HeaderEdgeTime, m.Header.Get(HeaderEdgeTime))
		}
		last = seq
		for name := range m.Header {
			if strings.HasPrefix(name, "Nats-") {
				return fmt.Errorf("%w: header %s is the log's own", ErrFrame, name)
			}
		}
	}
	return nil
}

// edgeBatch is how many of the messages make a batch.
func edgeBatch(msgs []*nats.Msg) int {
	n, bytes := 0, 0
	for n < len(msgs) && n < EdgeBatchMax {
		bytes += len(msgs[n].Data)
		if n > 0 && bytes > EdgeBatchBytesMax {
			break
		}
		n++
	}
	return n
}

// appendBatch stores messages together. After an answer that was lost, or a refusal, it looks what the log has by now.
func (w *EdgeWriter) appendBatch(ctx context.Context, msgs []*nats.Msg) error {
	last := EdgeSequence(msgs[len(msgs)-1].Header)
	_, err := retry(ctx, edgeTimeout, func(ctx context.Context) (struct{}, error) {
		if w.end == nil {
			if _, err := w.look(ctx); err != nil {
				return struct{}{}, err
			}
		}
		left := msgs
		for len(left) > 0 && EdgeSequence(left[0].Header) <= w.end.Sequence {
			left = left[1:]
		}
		if len(left) == 0 {
			return struct{}{}, nil
		}
		stored, err := w.publish(ctx, left)
		if err != nil {
			w.end = nil
			if IsConflict(err) {
				err = fmt.Errorf("%w: %w", errOvertaken, err)
			}
			return struct{}{}, err
		}
		w.end = &EdgeEnd{Sequence: last, Digest: left[len(left)-1].Header.Get(HeaderEdgeDigest), stored: stored}
		return struct{}{}, nil
	})
	return publishError(err)
}

// publish stores messages if they follow the last one that is known, and returns the sequence of the last.
func (w *EdgeWriter) publish(ctx context.Context, msgs []*nats.Msg) (stored uint64, err error) {
	for i, m := range msgs {
		unbatch(m)
		m.Header.Del(jetstream.ExpectedLastSubjSeqHeader)
		m.Header.Del(jetstream.ExpectedLastSubjSeqSubjHeader)
		if i == 0 {
			m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(w.end.stored, 10))
			m.Header.Set(jetstream.ExpectedLastSubjSeqSubjHeader, edgeFilter(w.edge))
		}
	}
	if len(msgs) == 1 {
		ack, err := w.log.js.PublishMsg(ctx, msgs[0])
		if err != nil {
			return 0, err
		}
		return ack.Sequence, nil
	}
	ack, err := jetstreamext.PublishMsgBatch(ctx, w.log.js, msgs, jetstreamext.BatchFlowControl{})
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}
