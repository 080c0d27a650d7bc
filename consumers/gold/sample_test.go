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
	"assay/consumers/gold/model"
	"assay/consumers/silver"
	"assay/internal/embed"
	"assay/kernels"
	"assay/sovereign/schema"
)

var namespace = DefaultOptions().Namespace

// epoch is when the events of tests begin.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMicro()

// capture is one capture of an event: a row of Silver.
type capture struct {
	model.Event
	eventID   string
	fragments []bronze.Fragment
}

// newCapture completes a capture as Silver would.
func newCapture(c capture, key string) capture {
	c.ID = kernels.UUID(namespace, fmt.Sprint(c)) // what differs in content is another event
	c.Entity = kernels.UUID(namespace, key)
	if c.Disposition == "" {
		c.Disposition = bronze.Kept
	}
	if c.Payload == "" {
		c.Payload = fmt.Sprintf(`{"at":%d}`, c.Position)
	}
	if c.Bytes == 0 {
		c.Bytes = int64(len(c.Payload) + len(c.Text))
	}
	if c.TS == 0 {
		c.TS = model.Never
	}
	if c.Captured == 0 {
		c.Captured = epoch + int64(c.Position)*1000
	}
	return c
}

// record builds a record of Silver.
func record(captures []capture) arrow.Record {
	b := array.NewRecordBuilder(memory.DefaultAllocator, silver.Schema)
	defer b.Release()
	for _, c := range captures {
		text, payload := c.Text, c.Payload
		fragments := encodeFragments(c.fragments)
		if c.Disposition != bronze.Kept {
			text, payload, fragments = "", "", ""
		}
		for i, v := range []any{
			c.ID, c.Entity, c.Kind, c.Workflow, c.Intent, c.Agent, c.Capability, c.Provider, string(c.Phase), string(c.Status),
			arrow.Timestamp(c.TS), c.Stream, int64(c.Position), arrow.Timestamp(c.Captured), int64(1), "event", c.eventID, c.Parent,
			text, fragments, payload, c.Finish, c.Failure, c.InputTokens, c.OutputTokens, c.Bytes, int32(0), string(c.Disposition),
			int32(c.Part), c.Role, c.Title, c.CachedTokens, c.ReasoningTokens, c.Cost, c.CapabilityKind, c.WrittenTokens, c.HourTokens,
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
		if v == model.Never {
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
		again.Captured += rapid.Int64Range(-5000, 5000).Draw(t, "later")
		if c.eventID != "" {
			again.Stream = rapid.SampledFrom([]string{"s0", "s1", "s2"}).Draw(t, "other stream")
			again.Position = rapid.Uint64Range(0, 9).Draw(t, "other position")
			again.Part = rapid.Uint32Range(0, 2).Draw(t, "other part")
		}
		if c.Disposition == bronze.Kept && c.Phase == bronze.PhaseDelta && rapid.Bool().Draw(t, "shed once") {
			again.Disposition = bronze.Shed
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
	return model.Never
}

func drawCalls(t *rapid.T) (all []capture) {
	workflow, stream, from := drawPlace(t)
	for i := range uint64(rapid.IntRange(1, 4).Draw(t, "calls")) {
		intent := fmt.Sprintf("%s/client/%d", stream, rapid.IntRange(0, 5).Draw(t, "request"))
		call := model.Event{Workflow: workflow, Stream: stream, Intent: intent, InputTokens: -1, OutputTokens: -1, Provider: "mcp"}
		request, response := call, call
		request.Kind, request.Phase, request.TS, request.Position = bronze.KindRPCRequest, bronze.PhaseStart, drawTime(t), from+2*i
		request.Capability = rapid.SampledFrom([]string{"read", "write", "list"}).Draw(t, "tool")
		request.Agent = rapid.SampledFrom([]string{"", "", "a0", "a1"}).Draw(t, "agent")
		request.Text = "please " + request.Capability
		response.Kind, response.Phase, response.TS, response.Position = bronze.KindRPCResponse, bronze.PhaseEnd, drawTime(t), from+2*i+1
		response.Status = rapid.SampledFrom([]bronze.Status{bronze.StatusOK, bronze.StatusError, bronze.StatusCancelled}).Draw(t, "status")
		response.Text = "here you are"
		pair := []capture{{Event: request}, {Event: response}}
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
		c := capture{Event: model.Event{
			Kind: bronze.KindTextDelta, Phase: bronze.PhaseDelta, Workflow: workflow, Intent: stream, Position: from + i/parts,
			Part:   uint32(i % parts),
			Stream: rapid.SampledFrom(streams).Draw(t, "stream of delta"), Capability: "gpt",
			Provider: rapid.SampledFrom([]string{"", "openai"}).Draw(t, "provider"), TS: model.Never,
			InputTokens: rapid.Int64Range(-1, 9).Draw(t, "in"), OutputTokens: int64(i), Text: fmt.Sprintf("piece %d ", from+i),
			CachedTokens: rapid.Int64Range(-1, 9).Draw(t, "cached"), ReasoningTokens: -1,
			Cost: rapid.SampledFrom([]float64{-1, 0, 0.25}).Draw(t, "cost"), Role: rapid.SampledFrom([]string{bronze.RoleAssistant, bronze.RoleUser}).Draw(t, "role"),
			Title: rapid.SampledFrom([]string{"", "", "a title"}).Draw(t, "title"),
		}}
		c.fragments = []bronze.Fragment{{Part: "0", Type: bronze.FragmentText, Text: c.Text}}
		switch rapid.IntRange(0, 9).Draw(t, "delta") {
		case 0:
			c.fragments = []bronze.Fragment{{Part: "0", Type: bronze.FragmentText, Text: "all of it", Whole: true}}
		case 1:
			c.fragments = []bronze.Fragment{{Part: "1", Type: bronze.FragmentToolCall, ID: "c1", Name: "read", Text: "{}"}}
		case 2:
			c.Kind, c.Phase, c.Finish = bronze.KindMessageEnd, bronze.PhaseEnd, "stop"
		case 3:
			c.Disposition = bronze.Shed
		}
		if ownIDs {
			c.eventID, c.OwnID = fmt.Sprintf("own-%s-%d", stream, from+i), true
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
		c := capture{Event: model.Event{
			Kind: kind, Workflow: workflow, Stream: stream, Position: from + i, TS: epoch + int64(len(id)), Text: "state " + kind,
			InputTokens: -1, OutputTokens: -1, OwnID: true,
		}, eventID: id + workflow}
		if kind == "broken" {
			c.Disposition = bronze.Dead
		}
		all = append(all, newCapture(c, id+"|"+workflow))
	}
	return all
}

func drawSession(t *rapid.T) (all []capture) {
	workflow, stream, from := drawPlace(t)
	for i := range uint64(rapid.IntRange(1, 4).Draw(t, "notifications")) {
		all = append(all, newCapture(capture{Event: model.Event{
			Kind: bronze.KindRPCNotification, Workflow: workflow, Stream: stream, Position: from + i, Capability: "notifications/message",
			Text: fmt.Sprintf("note %d", from+i), InputTokens: -1, OutputTokens: -1,
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

func testOptions(store schema.Store) Options {
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
