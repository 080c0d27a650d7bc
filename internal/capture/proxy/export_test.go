package proxy

import (
	"fmt"
	"runtime"
	"strconv"
)

// ForgetSessions forgets all sessions, as many others would make p do.
func ForgetSessions(p *Proxy) {
	for i := range 2 * recentMax {
		p.sessions.join(strconv.Itoa(i), "", "")
	}
}

// WaitForCancel returns when it is noted that the request of an id, as JSON, was cancelled in a session.
func WaitForCancel(p *Proxy, session, id string) {
	for {
		asked, ok := p.sessions.state(sessionName(session)).ids.get(digestOf(id))
		if ok && asked.reason.Load() != nil {
			return
		}
		runtime.Gosched()
	}
}

// CancelAndAsk cancels a request of a session before it is known, and returns why it is said to be cancelled when it is, and when its
// id is used once more; "" if it is not.
func CancelAndAsk(p *Proxy, session, id, reason string) (first, again string) {
	p.sessions.cancel(session, id, reason)
	why := func() string {
		if reason := p.sessions.join(session, id, "exchange").asked.reason.Load(); reason != nil {
			return *reason
		}
		return ""
	}
	return why(), why()
}

// Messages are those of one direction of a WebSocket, whose bytes come in chunks.
func Messages(limit int, chunks ...[]byte) (said []string) {
	f := wsFrames{limit: limit}
	for _, chunk := range chunks {
		for _, m := range f.take(chunk) {
			said = append(said, fmt.Sprintf("%v %v %q", m.text, m.large, m.data))
		}
	}
	return said
}
