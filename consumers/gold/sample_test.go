package gold

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"assay/consumers/bronze"
	"assay/consumers/silver"
	"assay/internal/embed"
	"assay/kernels"
)

var namespace = DefaultOptions().Namespace

// epoch is when the events of tests begin.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMicro()

// capture is one capture of an event: a row of Silver.
type capture struct {
	event
	eventID   string
	fragments []bronze.Fragment
}

// newCapture completes a capture as Silver would.
func newCapture(c capture, key string) capture {
	c.id = kernels.UUID(namespace, fmt.Sprint(c)) // what differs in content is another event
	c.entity = kernels.UUID(namespace, key)
	if c.disposition == "" {
		c.disposition = bronze.Kept
	}
	if c.payload == "" {
		c.payload = fmt.Sprintf(`{"at":%d}`, c.position)
	}
	if c.bytes == 0 {
		c.bytes = int64(len(c.payload) + len(c.text))
	}
	if c.ts == 0 {
		c.ts = never
	}
	if c.captured == 0 {
		c.captured = epoch + int64(c.position)*1000
	}
	return c
}

// record builds a record of Silver.
func record(captures []capture) arrow.Record {
	b := array.NewRecordBuilder(memory.DefaultAllocator, silver.Schema)
	defer b.Release()
	for _, c := range captures {
		text, payload := c.text, c.payload
		fragments := encodeFragments(c.fragments)
		if c.disposition != bronze.Kept {
			text, payload, fragments = "", "", ""
		}
		for i, v := range []any{
			c.id, c.entity, c.kind, c.workflow, c.intent, c.agent, c.capability, c.provider, string(c.phase), string(c.status),
			arrow.Timestamp(c.ts), c.stream, int64(c.position), arrow.Timestamp(c.captured), int64(1), "event", c.eventID, c.parent,
			text, fragments, payload, c.finish, c.failure, c.inputTokens, c.outputTokens, c.bytes, int32(0), string(c.disposition),
			int32(c.part), c.role, c.title, c.cachedTokens, c.reasoningTokens, c.cost, c.capabilityKind,
		} {
			appendValue(b.Field(i), silver.Schema.Field(i).Nullable, v)
		}
	}
	return b.NewRecord()
}

func encodeFragments(fragments []bronze.Fragment) string {
	if fragments == nil {
		return ""
	}
	encoded, err := json.Marshal(fragments)
	if err != nil {
		panic(err) // strings always encode
	}
	return string(encoded)
}

func appendValue(b array.Builder, nullable bool, v any) {
	switch v := v.(type) {
	case uuid.UUID:
		b.(*array.FixedSizeBinaryBuilder).Append(v[:])
	case string:
		if v == "" && nullable {
			b.AppendNull()
		} else {
			b.(*array.StringBuilder).Append(v)
		}
	case arrow.Timestamp:
		if v == never {
			b.AppendNull()
		} else {
			b.(*array.TimestampBuilder).Append(v)
		}
	case int64:
		if v < 0 && nullable {
			b.AppendNull()
		} else {
			b.(*array.Int64Builder).Append(v)
		}
	case int32:
		b.(*array.Int32Builder).Append(v)
	case float64:
		if v < 0 {
			b.AppendNull()
		} else {
			b.(*array.Float64Builder).Append(v)
		}
	}
}

// drawCaptures draws events of all kinds, each captured once or more: at several times and, where the event has an id of
// its own, at several places; now and then shed once and kept another time.
func drawCaptures(t *rapid.T) []capture {
	var all []capture
	for range rapid.IntRange(1, 6).Draw(t, "stories") {
		story := rapid.SampledFrom([]func(*rapid.T) []capture{drawCalls, drawMessage, drawStates, drawSession}).Draw(t, "story")
		for _, c := range story(t) {
			all = append(all, drawRecaptures(t, c)...)
		}
	}
	return all
}

func drawRecaptures(t *rapid.T, c capture) []capture {
	captures := []capture{c}
	for range rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "recaptures") {
		again := c
		again.captured += rapid.Int64Range(-5000, 5000).Draw(t, "later")
		if c.eventID != "" {
			again.stream = rapid.SampledFrom([]string{"s0", "s1", "s2"}).Draw(t, "other stream")
			again.position = rapid.Uint64Range(0, 9).Draw(t, "other position")
			again.part = rapid.Uint32Range(0, 2).Draw(t, "other part")
		}
		if c.disposition == bronze.Kept && c.phase == bronze.PhaseDelta && rapid.Bool().Draw(t, "shed once") {
			again.disposition = bronze.Shed
		}
		captures = append(captures, again)
	}
	return captures
}

func drawPlace(t *rapid.T) (workflow, stream string, from uint64) {
	return rapid.SampledFrom([]string{"w0", "w1"}).Draw(t, "workflow"),
		rapid.SampledFrom([]string{"s0", "s1", "s2"}).Draw(t, "stream"), rapid.Uint64Range(0, 20).Draw(t, "from")
}

func drawTime(t *rapid.T) int64 {
	if rapid.Bool().Draw(t, "has time") {
		return epoch + rapid.Int64Range(-2, 2).Draw(t, "hour")*time.Hour.Microseconds() + rapid.Int64Range(0, 50).Draw(t, "µs")
	}
	return never
}

func drawCalls(t *rapid.T) (all []capture) {
	workflow, stream, from := drawPlace(t)
	for i := range uint64(rapid.IntRange(1, 4).Draw(t, "calls")) {
		intent := fmt.Sprintf("%s/client/%d", stream, rapid.IntRange(0, 5).Draw(t, "request"))
		call := event{workflow: workflow, stream: stream, intent: intent, inputTokens: -1, outputTokens: -1, provider: "mcp"}
		request, response := call, call
		request.kind, request.phase, request.ts, request.position = bronze.KindRPCRequest, bronze.PhaseStart, drawTime(t), from+2*i
		request.capability = rapid.SampledFrom([]string{"read", "write", "list"}).Draw(t, "tool")
		request.agent = rapid.SampledFrom([]string{"", "", "a0", "a1"}).Draw(t, "agent")
		request.text = "please " + request.capability
		response.kind, response.phase, response.ts, response.position = bronze.KindRPCResponse, bronze.PhaseEnd, drawTime(t), from+2*i+1
		response.status = rapid.SampledFrom([]bronze.Status{bronze.StatusOK, bronze.StatusError, bronze.StatusCancelled}).Draw(t, "status")
		response.text = "here you are"
		pair := []capture{{event: request}, {event: response}}
		for _, c := range pair[rapid.IntRange(0, 1).Draw(t, "lost request"):] {
			all = append(all, newCapture(c, intent+"|"+workflow))
		}
	}
	return all
}

func drawMessage(t *rapid.T) (all []capture) {
	workflow, stream, from := drawPlace(t)
	ownIDs := rapid.Bool().Draw(t, "own ids")
	streams := rapid.SampledFrom([][]string{{stream}, {stream}, {stream, "s3"}}).Draw(t, "streams")
	parts := rapid.Uint64Range(1, 3).Draw(t, "events a record")
	for i := range uint64(rapid.IntRange(1, 6).Draw(t, "deltas")) {
		c := capture{event: event{
			kind: bronze.KindTextDelta, phase: bronze.PhaseDelta, workflow: workflow, intent: stream, position: from + i/parts,
			part:   uint32(i % parts),
			stream: rapid.SampledFrom(streams).Draw(t, "stream of delta"), capability: "gpt",
			provider: rapid.SampledFrom([]string{"", "openai"}).Draw(t, "provider"), ts: never,
			inputTokens: rapid.Int64Range(-1, 9).Draw(t, "in"), outputTokens: int64(i), text: fmt.Sprintf("piece %d ", from+i),
			cachedTokens: rapid.Int64Range(-1, 9).Draw(t, "cached"), reasoningTokens: -1,
			cost: rapid.SampledFrom([]float64{-1, 0, 0.25}).Draw(t, "cost"), role: rapid.SampledFrom([]string{bronze.RoleAssistant, bronze.RoleUser}).Draw(t, "role"),
			title: rapid.SampledFrom([]string{"", "", "a title"}).Draw(t, "title"),
		}}
		c.fragments = []bronze.Fragment{{Part: "0", Type: bronze.FragmentText, Text: c.text}}
		switch rapid.IntRange(0, 9).Draw(t, "delta") {
		case 0:
			c.fragments = []bronze.Fragment{{Part: "0", Type: bronze.FragmentText, Text: "all of it", Whole: true}}
		case 1:
			c.fragments = []bronze.Fragment{{Part: "1", Type: bronze.FragmentToolCall, ID: "c1", Name: "read", Text: "{}"}}
		case 2:
			c.kind, c.phase, c.finish = bronze.KindMessageEnd, bronze.PhaseEnd, "stop"
		case 3:
			c.disposition = bronze.Shed
		}
		if ownIDs {
			c.eventID, c.ownID = fmt.Sprintf("own-%s-%d", stream, from+i), true
		}
		all = append(all, newCapture(c, stream+"|"+workflow))
	}
	return all
}

func drawStates(t *rapid.T) (all []capture) {
	workflow, stream, from := drawPlace(t)
	for i := range uint64(rapid.IntRange(1, 4).Draw(t, "states")) {
		kind := rapid.SampledFrom([]string{"NodeStartedEvent", bronze.KindObservation, "custom", "broken"}).Draw(t, "kind")
		id := fmt.Sprintf("cid-%s-%d", kind, rapid.IntRange(0, 9).Draw(t, "cid"))
		c := capture{event: event{
			kind: kind, workflow: workflow, stream: stream, position: from + i, ts: epoch + int64(len(id)), text: "state " + kind,
			inputTokens: -1, outputTokens: -1, ownID: true,
		}, eventID: id + workflow}
		if kind == "broken" {
			c.disposition = bronze.Dead
		}
		all = append(all, newCapture(c, id+"|"+workflow))
	}
	return all
}

func drawSession(t *rapid.T) (all []capture) {
	workflow, stream, from := drawPlace(t)
	for i := range uint64(rapid.IntRange(1, 4).Draw(t, "notifications")) {
		all = append(all, newCapture(capture{event: event{
			kind: bronze.KindRPCNotification, workflow: workflow, stream: stream, position: from + i, capability: "notifications/message",
			text: fmt.Sprintf("note %d", from+i), inputTokens: -1, outputTokens: -1,
		}}, stream+"|"+workflow+"|session"))
	}
	return all
}

// tester is what both *testing.T and *rapid.T offer.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func testOptions(store Store) Options {
	opts := DefaultOptions()
	opts.Dir, opts.Store, opts.Embedder, opts.FS = "state", store, embed.Hashing{}, vfs.NewMem()
	opts.Logger = slog.New(slog.DiscardHandler)
	return opts
}

func open(t tester, opts Options) *Gold {
	t.Helper()
	g, err := Open(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

var _ tester = (*testing.T)(nil)
