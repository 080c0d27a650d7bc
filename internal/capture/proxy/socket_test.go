package proxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"assay/internal/capture/proxy"
	"assay/streams"
)

// realtime answers each message that asks for a response with one, in two pieces, and echoes what is no JSON.
func realtime(t *testing.T) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"realtime"}, CompressionMode: websocket.CompressionContextTakeover})
		if err != nil {
			t.Error(err)
			return
		}
		c.SetReadLimit(-1)
		for {
			kind, message, err := c.Read(r.Context())
			if err != nil {
				if websocket.CloseStatus(err) != websocket.StatusNormalClosure {
					t.Errorf("the server sees %v", err)
				}
				return
			}
			say := func(text string) {
				if err := c.Write(r.Context(), kind, []byte(text)); err != nil {
					t.Error(err)
				}
			}
			if kind == websocket.MessageBinary || !strings.Contains(string(message), "response.create") {
				say(string(message))
				continue
			}
			say("{\n \"type\": \"response.created\"}")
			say(`{"type":"response.output_text.delta","delta":"hello"}`)
			say(`{"type":"response.done","response":{"status":"completed"}}`)
		}
	})
}

// A WebSocket passes through: subprotocol, messages of all sizes, pings and the closing of either side; both directions are recorded, and
// each answer is an exchange of its own.
func TestWebSocketsAreRecorded(t *testing.T) {
	r := newRig(t, realtime(t))
	ctx := t.Context()
	c, response, err := websocket.Dial(ctx, strings.Replace(r.URL, "http", "ws", 1)+"/v1/realtime?model=m", &websocket.DialOptions{
		Subprotocols: []string{"realtime"}, CompressionMode: websocket.CompressionContextTakeover, HTTPHeader: http.Header{"Authorization": {"Bearer secret"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if response.Header.Get("Sec-WebSocket-Extensions") != "" || c.Subprotocol() != "realtime" {
		t.Errorf("agreed on %v", response.Header)
	}
	c.SetReadLimit(-1)
	ask := func(kind websocket.MessageType, message string, answers int) (said []string) {
		t.Helper()
		if err := c.Write(ctx, kind, []byte(message)); err != nil {
			t.Fatal(err)
		}
		for range answers {
			_, answer, err := c.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			said = append(said, string(answer))
		}
		return said
	}
	large := `{"type":"session.update","text":"` + strings.Repeat("x", 1<<17) + `"}`
	if said := ask(websocket.MessageText, large, 1); said[0] != large {
		t.Errorf("a large message comes back as one of %d bytes", len(said[0]))
	}
	if said := ask(websocket.MessageBinary, "\x00\x01sound", 1); said[0] != "\x00\x01sound" {
		t.Errorf("sound comes back as %q", said[0])
	}
	for range 2 {
		if said := ask(websocket.MessageText, `{"type":"response.create"}`, 3); said[0] != "{\n \"type\": \"response.created\"}" {
			t.Errorf("%q", said)
		}
	}
	writer, err := c.Writer(ctx, websocket.MessageText) // in several frames
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range []string{`{"type":`, strings.Repeat(" ", 5000), `"pieces"}`} {
		if _, err := io.WriteString(writer, piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(ctx); err != nil {
		t.Fatal(err)
	}
	pinging, stop := context.WithCancel(c.CloseRead(ctx))
	if err := c.Ping(pinging); err != nil {
		t.Errorf("ping: %v", err)
	}
	stop()
	if err := c.Close(websocket.StatusNormalClosure, "done"); err != nil {
		t.Errorf("close: %v", err)
	}
	r.close()

	said := map[string]string{}
	for _, f := range r.log.frames {
		if f.Source == streams.SourceEvent {
			said[fmt.Sprintf("%s %s", f.Stream[len(f.Stream)-6:], f.Exchange[36:])] += string(f.Body)
		}
	}
	pieces := `{"type":` + strings.Repeat(" ", 5000) + `"pieces"}` + "\n"
	answer := `{"type":"response.created"}` + "\n" + `{"type":"response.output_text.delta","delta":"hello"}` + "\n" +
		`{"type":"response.done","response":{"status":"completed"}}` + "\n"
	for key, want := range map[string]string{
		"client ": large + "\n" + `{"type":"response.create"}` + "\n", "client .2": `{"type":"response.create"}` + "\n" + pieces,
		"server ": large + "\n" + answer, "server .2": answer + pieces,
	} {
		if got := said[key]; got != want {
			t.Errorf("%q: %d bytes, want %d: %.300s", key, len(got), len(want), got)
		}
	}
	x := r.log.exchanges(t)
	if len(x) != 1 || x[0].Status != http.StatusSwitchingProtocols || x[0].End != "complete" {
		t.Errorf("exchanges %+v", x)
	}
	if all := r.log.recorded(streams.SourceHTTP); !strings.Contains(all, `"unrecorded_messages":2`) || strings.Contains(all, "secret") {
		t.Error(all)
	}
}

// FuzzWebSocketFrames holds the parser to what it promises: messages do not depend on how the bytes were cut, and nothing makes it panic.
func FuzzWebSocketFrames(f *testing.F) {
	f.Add(uint8(3), []byte("\x81\x02{}\x01\x01[\x89\x00\x80\x01]\x82\x7e\x00\x01x"))
	f.Add(uint8(1), []byte("\x81\x85abcd\x09\x07\x0f\x08\x0e\x88\x00"))
	f.Add(uint8(7), []byte("\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00x"))
	f.Fuzz(func(t *testing.T, cut uint8, data []byte) {
		whole := proxy.Messages(1<<10, data)
		var chunks [][]byte
		for rest := data; len(rest) > 0; {
			n := min(1+int(cut)%16, len(rest))
			chunks, rest = append(chunks, rest[:n]), rest[n:]
		}
		if apart := proxy.Messages(1<<10, chunks...); fmt.Sprint(apart) != fmt.Sprint(whole) {
			t.Errorf("in chunks of %d: %q, whole: %q", 1+int(cut)%16, apart, whole)
		}
	})
}
