package bronze_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"assay/consumers/bronze"
	"assay/internal/capture/framing"
	"assay/streams"
)

var update = flag.Bool("update", false, "write the golden files anew")

type goldenCase struct {
	name   string
	format framing.Format
	source streams.Source
	body   []byte
}

// goldenCases are the streams in testdata, one for each provider and protocol.
func goldenCases(tb testing.TB) []goldenCase {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "*.*"))
	if err != nil {
		tb.Fatal(err)
	}
	var cases []goldenCase
	for _, path := range paths {
		c := goldenCase{name: filepath.Base(path), format: framing.NDJSON, source: streams.SourceEvent, body: readFile(tb, path)}
		switch filepath.Ext(path) {
		case ".golden":
			continue
		case ".sse":
			c.format, c.source = framing.SSE, streams.SourceSSE
		case ".jsonrpc":
			c.source = streams.SourceJSONRPC
		case ".http":
			c.source = streams.SourceHTTP
		}
		cases = append(cases, c)
	}
	return cases
}

// TestGolden compares what is decoded of the streams in testdata with what was found right before.
func TestGolden(t *testing.T) {
	for _, c := range goldenCases(t) {
		t.Run(c.name, func(t *testing.T) {
			var got bytes.Buffer
			for _, e := range bronze.Decode(frameOf(c.source, c.name, c.body), 1) {
				got.Write(essence(t, &e))
				got.WriteByte('\n')
			}
			path := filepath.Join("testdata", c.name+".golden")
			if *update {
				if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := readFile(t, path); !bytes.Equal(got.Bytes(), want) {
				t.Errorf("got\n%s\nwant\n%s", got.Bytes(), want)
			}
		})
	}
}

// essence renders what an event says as JSON, absent fields left out.
func essence(t *testing.T, e *bronze.Event) []byte {
	t.Helper()
	fields := map[string]any{
		"position": e.Position, "kind": e.Kind, "intent": e.IntentID, "agent": e.AgentID, "capability": e.Capability,
		"provider": e.Provider, "phase": e.Phase, "status": e.Status, "text": e.Text, "fragments": e.Fragments,
		"finish_reason": e.FinishReason, "error": e.Error, "parent": e.ParentID, "event_id": e.EventID,
		"workflow": strings.TrimSuffix(e.WorkflowID, "wf"), "digest": hex.EncodeToString(e.Digest[:4]), "reason": e.Reason,
		"role": e.Role, "capability_kind": e.CapabilityKind, "title": e.Title,
	}
	for name, n := range map[string]int64{"cached_tokens": e.CachedTokens, "reasoning_tokens": e.ReasoningTokens} {
		if n >= 0 {
			fields[name] = n
		}
	}
	if e.Part > 0 {
		fields["part"] = e.Part
	}
	if e.CostUSD >= 0 {
		fields["cost_usd"] = e.CostUSD
	}
	switch e.Kind { // of which the payload is more than the record
	case bronze.KindModelRequest, bronze.KindToolCall, bronze.KindToolCallEcho, bronze.KindToolResult, bronze.KindToolResultEcho:
		if e.Payload != "" {
			fields["payload"] = json.RawMessage(e.Payload)
		}
	}
	if e.InputTokens >= 0 {
		fields["input_tokens"] = e.InputTokens
	}
	if e.OutputTokens >= 0 {
		fields["output_tokens"] = e.OutputTokens
	}
	if !e.Time.IsZero() {
		fields["time"] = e.Time
	}
	if e.Sheddable {
		fields["sheddable"] = true
	}
	if e.Removed > 0 {
		fields["removed"], fields["payload"] = e.Removed, json.RawMessage(e.Payload)
	}
	for name, value := range fields {
		if encoded, err := json.Marshal(value); err != nil {
			t.Fatal(err)
		} else if s := string(encoded); s == `""` || s == "null" {
			delete(fields, name)
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(fields); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(b.Bytes())
}

func jsonValid(s string) bool { return json.Valid([]byte(s)) }
