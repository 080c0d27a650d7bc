package replay

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"assay/consumers/bronze"
	"assay/streams"
)

// lineBytesMax bounds a message of a client.
const lineBytesMax = 16 << 20

// codeNotRecorded is JSON-RPC's "method not found".
const codeNotRecorded = -32601

// Answers are the responses of a recorded JSON-RPC server, by what they answered.
type Answers struct {
	same   map[string]*queue // by method and parameters
	method map[string]*queue // by method alone
}

// queue gives the answers to one question in the order of the recording, the last one again and again.
type queue struct {
	answers []answer
	given   int
}

// answer is what a response says; its id is the client's business.
type answer struct {
	Result json.RawMessage `json:"result,omitempty"`
	Error  json.RawMessage `json:"error,omitempty"`
}

// message is a JSON-RPC message.
type message struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	answer
}

// Recorded reads the answers to the requests of clients from the selected frames.
func Recorded(ctx context.Context, log *streams.Log, s Selection) (*Answers, error) {
	a := &Answers{same: map[string]*queue{}, method: map[string]*queue{}}
	asked := map[string]message{} // by intent
	for frame, err := range s.frames(ctx, log) {
		if err != nil {
			return nil, err
		}
		for _, e := range bronze.Decode(frame, 0) {
			var m message
			if !strings.Contains(e.IntentID, "/"+string(streams.SideClient)+"/") || json.Unmarshal([]byte(e.Payload), &m) != nil {
				continue
			}
			switch e.Kind {
			case bronze.KindRPCRequest:
				asked[e.IntentID] = m
			case bronze.KindRPCResponse, bronze.KindRPCError:
				if request, ok := asked[e.IntentID]; ok {
					a.add(request, m.answer)
					delete(asked, e.IntentID)
				}
			}
		}
	}
	return a, nil
}

func (a *Answers) add(request message, given answer) {
	for _, q := range []struct {
		in  map[string]*queue
		key string
	}{{a.same, question(request)}, {a.method, request.Method}} {
		if q.in[q.key] == nil {
			q.in[q.key] = &queue{}
		}
		q.in[q.key].answers = append(q.in[q.key].answers, given)
	}
}

// question is a method with its parameters in a fixed form. What a client says about itself or a single request makes no
// difference.
func question(m message) string {
	var params map[string]any
	if json.Unmarshal(m.Params, &params) == nil {
		delete(params, "_meta")
	}
	text, err := json.Marshal(params) // sorts the members
	if err != nil {
		return m.Method
	}
	return m.Method + " " + string(text)
}

// Serve answers the messages that come from in, one a line, as the recorded server did, until in or ctx ends. A request that
// is not in the recording with its parameters is answered as its method was, and else with an error.
func (a *Answers) Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, lineBytesMax)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for ctx.Err() == nil && lines.Scan() {
		var m message
		if json.Unmarshal(lines.Bytes(), &m) != nil || m.ID == nil || m.Method == "" {
			continue // a notification, a response or no message
		}
		if err := encoder.Encode(message{Version: "2.0", ID: m.ID, answer: a.to(m)}); err != nil {
			return fmt.Errorf("replay: answer: %w", err)
		}
	}
	if err := lines.Err(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("replay: read requests: %w", err)
	}
	return nil
}

func (a *Answers) to(request message) answer {
	for _, q := range []*queue{a.same[question(request)], a.method[request.Method]} {
		if q != nil {
			return q.next()
		}
	}
	if request.Method == "ping" {
		return answer{Result: json.RawMessage("{}")}
	}
	text, err := json.Marshal(map[string]any{"code": codeNotRecorded, "message": request.Method + " is not in the recording"})
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return answer{Error: text}
}

func (q *queue) next() answer {
	given := q.answers[min(q.given, len(q.answers)-1)]
	q.given++
	return given
}
