package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"

	"assay/internal/test/sample"
	"assay/streams"
)

// Body is what one request ingests: consecutive events of one source stream.
type Body struct {
	Source      streams.Source
	ContentType string
	Workflow    string
	Stream      string
	Position    uint64
	Captured    time.Time
	Bytes       []byte
	Events      int
}

// Load is seeded input, and what must become of it.
type Load struct {
	Name       string // tells one load from another; the same name is the same bytes
	Bodies     []Body
	Events     int               // of all bodies
	Identities map[string]bool   // event_uuid of each event that has an id of its own
	Dead       map[string]*Place // of what cannot be decoded, by its raw bytes; nil of what others have put into the log
	Promotions map[string]bool   // event_cid of what must be published
}

// Place is where an event stands.
type Place struct {
	Workflow string
	Stream   string
	Position uint64
}

// namespace is Assay's, computed from its documentation.
var namespace = uuid.NewSHA1(uuid.NameSpaceDNS, []byte("coreason.local"))

// epoch is when the first event is said to have happened.
var epoch = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// NewLoad draws a mixture of that many bodies: model answers, JSON-RPC sessions, state events with token buffers and
// promotions, and lines that nothing can decode. The sample session goes along.
func NewLoad(seed uint64, bodies int) *Load {
	l := newLoad(fmt.Sprintf("mixture-%d-%d", seed, bodies))
	rng := rand.New(rand.NewPCG(seed, 1))
	for _, s := range sample.Session() {
		events := bytes.Count(s.Body, []byte("\n"))
		if s.Source == string(streams.SourceSSE) { // its events are not its lines
			events = 0
		}
		l.add(Body{Source: streams.Source(s.Source), ContentType: s.ContentType, Workflow: sample.Workflow, Stream: s.ID, Bytes: s.Body}, events)
	}
	l.Promotions["sample-promotion-1"] = true
	for i := 0; len(l.Bodies) < bodies; i++ {
		switch kind := rng.IntN(10); {
		case kind < 3:
			l.answer(rng, i)
		case kind < 6:
			l.session(rng, i)
		default:
			l.states(rng, i)
		}
	}
	rng.Shuffle(len(l.Bodies), func(i, j int) { l.Bodies[i], l.Bodies[j] = l.Bodies[j], l.Bodies[i] })
	return l
}

// NewWideLoad draws that many workflows, of two events each.
func NewWideLoad(workflows int) *Load {
	const perBody = 500
	l := newLoad(fmt.Sprintf("wide-%d", workflows))
	for from := 0; from < workflows; from += perBody {
		var body bytes.Buffer
		n := min(perBody, workflows-from)
		for i := from; i < from+n; i++ {
			workflow, intent := fmt.Sprintf("wide-%d", i), "step"
			l.state(&body, map[string]any{
				"topology_class": "tool_invocation", "event_cid": fmt.Sprintf("wide-%d-a", i), "timestamp": seconds(i),
				"workflow_id": workflow, "intent_id": intent, "agent_id": "wide", "tool_name": fmt.Sprintf("tool-%d", i%7),
			})
			l.state(&body, map[string]any{
				"topology_class": "observation", "event_cid": fmt.Sprintf("wide-%d-b", i), "timestamp": seconds(i) + 0.5,
				"workflow_id": workflow, "intent_id": intent, "payload": map[string]any{"observation": fmt.Sprintf("saw %d", i)},
			})
		}
		l.add(Body{Source: streams.SourceEvent, ContentType: streams.ContentNDJSON, Workflow: "wide", Stream: fmt.Sprintf("wide/%d", from), Bytes: body.Bytes()}, 2*n)
	}
	return l
}

func newLoad(name string) *Load {
	return &Load{Name: name, Identities: map[string]bool{}, Dead: map[string]*Place{}, Promotions: map[string]bool{}}
}

// add takes a body of that many events. Capture times are part of the input, so that two runs have the same.
func (l *Load) add(b Body, events int) {
	b.Events = events
	b.Captured = epoch.Add(time.Duration(len(l.Bodies)) * time.Second)
	l.Events += events
	l.Bodies = append(l.Bodies, b)
}

// answer is a model's streamed answer, in one or two requests.
func (l *Load) answer(rng *rand.Rand, i int) {
	var whole [2]bytes.Buffer
	var counts [2]int
	n := 4 + rng.IntN(40)
	for k := range n {
		half := 2 * k / n
		delta, finish := map[string]any{"content": word(rng) + " "}, any(nil)
		if k == n-1 {
			delta, finish = map[string]any{}, "stop"
		}
		chunk := object(map[string]any{
			"id": fmt.Sprintf("chat-%d", i), "object": "chat.completion.chunk", "model": fmt.Sprintf("model-%d", rng.IntN(3)),
			"choices": []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish}},
		})
		fmt.Fprintf(&whole[half], "data: %s\n\n", chunk)
		counts[half]++
	}
	position := 0
	for half := range whole {
		l.add(Body{
			Source: streams.SourceSSE, ContentType: streams.ContentSSE, Workflow: workflowOf(rng), Stream: fmt.Sprintf("answer/%d", i),
			Position: uint64(position), Bytes: whole[half].Bytes(),
		}, counts[half])
		position += counts[half]
	}
	l.Bodies[len(l.Bodies)-1].Workflow = l.Bodies[len(l.Bodies)-2].Workflow // one stream is of one workflow
}

// long adds one body of so many bytes, first of all: a stream of answers without end.
func (l *Load) long(size int) {
	const chunks = 300
	var body bytes.Buffer
	events := 0
	for answer := 0; body.Len() < size; answer++ {
		for k := range chunks {
			fmt.Fprintf(&body, `data: {"id":"long-%d","object":"chat.completion.chunk","model":"model-0","choices":[{"index":0,`+
				`"delta":{"content":"word%d "},"finish_reason":null}]}`+"\n\n", answer, k)
		}
		events += chunks
	}
	l.Name = fmt.Sprintf("%s-long-%d", l.Name, size)
	l.add(Body{Source: streams.SourceSSE, ContentType: streams.ContentSSE, Workflow: "long", Stream: "long", Bytes: body.Bytes()}, events)
	last := len(l.Bodies) - 1
	l.Bodies[0], l.Bodies[last] = l.Bodies[last], l.Bodies[0]
}

// session is a JSON-RPC session: calls, progress, results, errors, and one in ten never answered.
func (l *Load) session(rng *rand.Rand, i int) {
	var body bytes.Buffer
	n := 0
	say := func(message map[string]any) {
		message["jsonrpc"] = "2.0"
		body.Write(append(object(message), '\n'))
		n++
	}
	for id := range 2 + rng.IntN(12) {
		say(map[string]any{"id": id, "method": "tools/call", "params": map[string]any{
			"name": fmt.Sprintf("tool-%d", rng.IntN(9)), "arguments": map[string]any{"query": word(rng)},
		}})
		if rng.IntN(3) == 0 {
			say(map[string]any{"method": "notifications/progress", "params": map[string]any{"progressToken": id, "progress": 0.5}})
		}
		switch rng.IntN(10) {
		case 0:
		case 1:
			say(map[string]any{"id": id, "error": map[string]any{"code": -32000, "message": word(rng)}})
		default:
			say(map[string]any{"id": id, "result": map[string]any{"content": []any{map[string]any{"type": "text", "text": word(rng)}}}})
		}
	}
	l.add(Body{Source: streams.SourceJSONRPC, ContentType: streams.ContentNDJSON, Workflow: workflowOf(rng), Stream: fmt.Sprintf("session/%d", i), Bytes: body.Bytes()}, n)
}

// states are an agent's own account, with a promotion now and then, and sometimes a line that breaks off.
func (l *Load) states(rng *rand.Rand, i int) {
	var body bytes.Buffer
	n, workflow, stream := 0, workflowOf(rng), fmt.Sprintf("states/%d", i)
	say := func(event map[string]any) {
		event["event_cid"] = fmt.Sprintf("ev-%d-%d", i, n)
		event["timestamp"] = seconds(60*i + n)
		event["workflow_id"] = workflow
		l.state(&body, event)
		n++
	}
	for step := range 1 + rng.IntN(6) {
		intent := fmt.Sprintf("step-%d-%d", i, step)
		say(map[string]any{"topology_class": "tool_invocation", "intent_id": intent, "agent_id": "agent", "tool_name": fmt.Sprintf("tool-%d", rng.IntN(9))})
		say(map[string]any{"topology_class": "observation", "intent_id": intent, "payload": map[string]any{"observation": word(rng) + " " + word(rng)}})
	}
	say(map[string]any{
		"topology_class": "continuous_observation", "intent_id": fmt.Sprintf("think-%d", i), "stream_cid": "thoughts",
		"token_buffer":        []string{"uh", word(rng), "er", word(rng), "um", "uh"},
		"disfluency_contract": map[string]any{"decay_threshold": 0.8, "repair_marker_regex": "^(uh|um|er)$", "max_lookback_window": 5},
	})
	if rng.IntN(3) == 0 {
		l.Promotions[fmt.Sprintf("ev-%d-%d", i, n)] = true
		say(map[string]any{
			"topology_class": "epistemic_promotion", "source_episodic_event_cids": []string{fmt.Sprintf("ev-%d-0", i)},
			"crystallized_semantic_node_cid": fmt.Sprintf("node-%d", i), "compression_ratio": 0.5,
		})
	}
	if rng.IntN(8) == 0 {
		broken := fmt.Sprintf(`{"broken": %d, "%s`, i, word(rng))
		l.Dead[broken] = &Place{workflow, stream, uint64(n)}
		body.WriteString(broken + "\n")
		n++
	}
	l.add(Body{Source: streams.SourceEvent, ContentType: streams.ContentNDJSON, Workflow: workflow, Stream: stream, Bytes: body.Bytes()}, n)
}

// state writes an event with an id of its own and keeps its identity.
func (l *Load) state(into *bytes.Buffer, event map[string]any) {
	l.Identities[uuid.NewSHA1(namespace, []byte(event["event_cid"].(string))).String()] = true
	into.Write(append(object(event), '\n'))
}

func seconds(n int) float64 { return float64(epoch.Unix() + int64(n)) }

func workflowOf(rng *rand.Rand) string { return fmt.Sprintf("wf/%d ü", rng.IntN(40)) }

func word(rng *rand.Rand) string {
	const letters = "etaoinshrdluäß漢 \"\\"
	var b strings.Builder
	runes := []rune(letters)
	for range 3 + rng.IntN(12) {
		b.WriteRune(runes[rng.IntN(len(runes))])
	}
	return b.String()
}

// object renders a value as one line of JSON; json.Marshal sorts the keys of maps, so it is the same every time.
func object(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // every value above is a literal
	}
	return text
}
