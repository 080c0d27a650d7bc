package proxy

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"sync"

	"github.com/google/uuid"

	"assay/internal/capture"
)

// headerSession names the session of MCP's streamable HTTP. It is as good as a credential, so only its digest is
// recorded.
const headerSession = "Mcp-Session-Id"

// session is a source stream that several exchanges are part of.
type session struct {
	stream    string
	name      string // the digest that the session goes by; "" for an exchange without session
	positions *capture.Positions
	asked     *cancellation // of the request
}

// alone is the session of one exchange.
func alone(stream string) session {
	return session{stream: stream, positions: new(capture.Positions), asked: new(cancellation)}
}

// sessions counts the events of each session. A session that was forgotten, by a restart or for want of room, goes on in a
// stream of another name: positions in one stream never begin anew.
type sessions struct {
	known recent[string, *sessionState]
}

type sessionState struct {
	stream    string
	positions capture.Positions

	mu    sync.Mutex                    // one of the two knows a request that was asked and cancelled
	ids   recent[uint64, *cancellation] // of its latest requests, by the digests of their ids
	early recent[uint64, *string]       // why requests were cancelled that are not known yet: exchanges are recorded side by side
}

// ask notes a request, and reports whether the session had one of that id before.
func (s *sessionState) ask(id uint64, asked *cancellation) (again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if reason, _ := s.early.get(id); reason != nil {
		asked.reason.Store(reason)
		s.early.put(id, nil)
	}
	return s.ids.put(id, asked)
}

// cancel notes why a request was cancelled.
func (s *sessionState) cancel(id uint64, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if asked, ok := s.ids.get(id); ok {
		asked.reason.Store(&reason)
		return
	}
	s.early.put(id, &reason)
}

// idsMax is how many of its latest requests' ids a session surely remembers.
const idsMax = 128

// join returns the session with a header's value, for an exchange with a request of an id; "" if it is no request. If the
// session had a request of that id before, which may be open still, the exchange gets a stream of its own, so that nobody
// mixes up their answers.
func (s *sessions) join(header, id, exchange string) session {
	name := sessionName(header)
	state := s.state(name)
	asked := new(cancellation)
	if id != "" && state.ask(digestOf(id), asked) {
		own := alone(name + "/" + exchange)
		own.name, own.asked = name, asked
		return own
	}
	return session{state.stream, name, &state.positions, asked}
}

// cancel notes why the latest request of an id was cancelled.
func (s *sessions) cancel(header, id, reason string) {
	s.state(sessionName(header)).cancel(digestOf(id), reason)
}

func (s *sessions) state(name string) *sessionState {
	return s.known.getOrPut(name, func() *sessionState {
		return &sessionState{
			stream: name + "/" + uuid.Must(uuid.NewV7()).String(), ids: recent[uint64, *cancellation]{max: idsMax}, early: recent[uint64, *string]{max: idsMax},
		}
	})
}

func sessionName(header string) string {
	digest := sha256.Sum256([]byte(header))
	return "mcp-" + hex.EncodeToString(digest[:16])
}

func digestOf(id string) uint64 {
	digest := sha256.Sum256([]byte(id))
	return binary.BigEndian.Uint64(digest[:])
}
