package proxy

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/google/uuid"
	"github.com/valyala/fastjson"

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
}

// alone is the session of one exchange.
func alone(stream string) session { return session{stream: stream, positions: new(capture.Positions)} }

// sessions counts the events of each session. A session that was forgotten, by a restart or for want of room, goes on in a
// stream of another name: positions in one stream never begin anew.
type sessions struct {
	known recent[string, *sessionState]
}

type sessionState struct {
	stream    string
	positions capture.Positions
	ids       recent[uint64, struct{}] // digests of the ids of its latest requests
}

// idsMax is how many of its latest requests' ids a session surely remembers.
const idsMax = 128

// join returns the session with a header's value, for an exchange with a request of an id; "" if it is no request. If the
// session had a request of that id before, which may be open still, the exchange gets a stream of its own, so that nobody
// mixes up their answers.
func (s *sessions) join(header, id, exchange string) session {
	digest := sha256.Sum256([]byte(header))
	name := "mcp-" + hex.EncodeToString(digest[:16])
	state := s.known.getOrPut(name, func() *sessionState {
		return &sessionState{
			stream: name + "/" + uuid.Must(uuid.NewV7()).String(), ids: recent[uint64, struct{}]{max: idsMax},
		}
	})
	if digest := sha256.Sum256([]byte(id)); id != "" && state.ids.put(binary.BigEndian.Uint64(digest[:]), struct{}{}) {
		own := alone(name + "/" + exchange)
		own.name = name
		return own
	}
	return session{state.stream, name, &state.positions}
}

// rpcID returns the id of a request as its JSON text; "" if message is no single request.
func rpcID(message []byte) string {
	v, err := fastjson.ParseBytes(message)
	if err != nil || !v.Exists("method") || !v.Exists("id") {
		return ""
	}
	return v.Get("id").String()
}
