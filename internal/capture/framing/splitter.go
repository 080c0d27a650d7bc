package framing

import (
	"bytes"
	"iter"
)

// Unit is the smallest piece at which a stream may be cut: an SSE block with the empty line that ends it, a line of
// NDJSON, a JSON document, or a message of an event stream.
type Unit struct {
	Raw    []byte // valid until the next unit is asked for
	Events int    // events in Raw; 0 for comments and blank lines
}

// Splitter cuts one stream into units, given in chunks of any size; the units do not depend on the chunks, except that
// a CR and the LF that follows it may fall into two units when they come in two chunks.
//
// It holds at most one unfinished unit, and so never more bytes than its limit and the chunk.
type Splitter struct {
	format Format
	limit  int

	pending  []byte // the unfinished unit
	skipping bool   // the unfinished unit exceeds the limit
	offset   int64  // of the unfinished unit in the stream
	events   uint64 // in all units so far

	// SSE: where the scan of the unfinished unit stands.
	inLine  bool // some bytes of a line
	afterCR bool // behind a CR, so that an LF is part of the same terminator

	// Event stream: the length of the unfinished message, as far as it is known, and how much of the message there was.
	total, have uint64
}

// NewSplitter returns a Splitter of a stream whose units may have up to limit bytes.
func NewSplitter(f Format, limit int) *Splitter { return &Splitter{format: f, limit: limit} }

// Write takes the next chunk of the stream and yields the units that it completes.
//
// A unit that exceeds the limit yields a *TooLargeError, once, as soon as that is known. A caller that goes on gets the
// units behind it; the bytes of the large one are dropped. A caller that stops early is done with the Splitter.
func (s *Splitter) Write(chunk []byte) iter.Seq2[Unit, error] {
	return func(yield func(Unit, error) bool) {
		ends := newLineEnds(chunk)
		for start := 0; start < len(chunk); {
			end, ended := s.scan(&ends, start)
			piece := chunk[start:end]
			start = end
			if !s.skipping && len(s.pending)+len(piece) > s.limit {
				s.skipping = true
				if !yield(Unit{}, &TooLargeError{Position: s.events, Offset: s.offset, Limit: s.limit}) {
					return
				}
			}
			if !ended {
				s.keep(piece)
			} else if u, ok := s.unit(piece); ok && !yield(u, nil) {
				return
			}
		}
	}
}

// Tail ends the stream and returns what is behind the last unit: for SSE an unfinished block, which is no event; for
// NDJSON a line without terminator, for JSON the document and for an event stream a message that was cut off, which are units. Raw is
// nil if there is nothing, or if it exceeded the limit.
func (s *Splitter) Tail() Unit {
	u, ok := s.unit(nil)
	if !ok || len(u.Raw) == 0 {
		return Unit{}
	}
	return u
}

// Unfinished is the number of bytes held of the unfinished unit.
func (s *Splitter) Unfinished() int { return len(s.pending) }

// keep holds the bytes of a unit that goes on in the next chunk.
func (s *Splitter) keep(piece []byte) {
	if s.skipping {
		s.offset += int64(len(s.pending) + len(piece))
		s.pending = nil
		return
	}
	s.pending = append(s.pending, piece...)
}

// unit ends the unfinished unit with its last piece. It is not ok if the unit was too large.
func (s *Splitter) unit(piece []byte) (u Unit, ok bool) {
	ok = !s.skipping
	s.skipping = false
	s.offset += int64(len(s.pending) + len(piece))
	u.Raw = piece
	if len(s.pending) > 0 {
		u.Raw = append(s.pending, piece...)
		s.pending = u.Raw[:0]
		if cap(s.pending) > pendingKept {
			s.pending = nil
		}
	}
	if ok {
		u.Events = Count(s.format, u.Raw, s.events == 0)
		s.events += uint64(u.Events)
	}
	return u, ok
}

// pendingKept is the capacity of a buffer, in bytes, that is kept for the next unit instead of given back.
const pendingKept = 64 << 10

// scan returns where in the chunk the unfinished unit, which goes on at start, ends or the chunk does.
func (s *Splitter) scan(chunk *lineEnds, start int) (end int, ended bool) {
	switch s.format {
	case SSE:
		return s.scanSSE(chunk, start)
	case EventStream:
		return s.scanEventStream(chunk.data, start)
	case NDJSON:
		if i := bytes.IndexByte(chunk.data[start:], '\n'); i >= 0 {
			return start + i + 1, true
		}
	}
	return len(chunk.data), false
}

// scanSSE looks for an empty line.
func (s *Splitter) scanSSE(chunk *lineEnds, start int) (end int, ended bool) {
	i := start
	if s.afterCR && chunk.data[i] == '\n' {
		i++
	}
	s.afterCR = false
	for i < len(chunk.data) {
		end := chunk.next(i)
		if end == len(chunk.data) {
			s.inLine = true
			break
		}
		blank := end == i && !s.inLine
		s.inLine = false
		i = chunk.after(end)
		s.afterCR = i == len(chunk.data) && chunk.data[i-1] == '\r'
		if blank {
			return i, true
		}
	}
	return len(chunk.data), false
}
