package proxy

import (
	"sync"

	"assay/internal/capture"
)

// sessionsMax is how many sessions are remembered; of one that was forgotten positions begin anew.
const sessionsMax = 10_000

// session is a source stream that several exchanges are part of.
type session struct {
	stream    string
	positions *capture.Positions
	known     bool // by a session id, and so MCP's
}

// sessions counts the events of each session.
type sessions struct {
	mu     sync.Mutex
	events map[string]*capture.Positions
}

func (s *sessions) get(stream string) session {
	s.mu.Lock()
	defer s.mu.Unlock()
	positions, ok := s.events[stream]
	if !ok {
		if s.events == nil || len(s.events) >= sessionsMax {
			s.events = map[string]*capture.Positions{}
		}
		positions = new(capture.Positions)
		s.events[stream] = positions
	}
	return session{stream, positions, true}
}
