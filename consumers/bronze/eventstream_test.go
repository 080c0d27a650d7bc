package bronze_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assay/consumers/bronze"
	"assay/internal/capture/framing"
	"assay/streams"
)

// eventStream makes messages of AWS's event stream of objects with one member each, a line of body each.
func eventStream(tb testing.TB, body []byte) (all []byte) {
	tb.Helper()
	for line := range bytes.Lines(body) {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(line, &object); err != nil || len(object) != 1 {
			continue // a whole answer, which is no stream
		}
		for name, payload := range object {
			h := append([]byte("\x0b:event-type\x07"), binary.BigEndian.AppendUint16(nil, uint16(len(name)))...)
			h = append(h, name...)
			m := binary.BigEndian.AppendUint32(nil, uint32(16+len(h)+len(payload)))
			m = binary.BigEndian.AppendUint32(m, uint32(len(h)))
			m = binary.BigEndian.AppendUint32(m, crc32.ChecksumIEEE(m))
			m = append(append(m, h...), payload...)
			all = append(all, binary.BigEndian.AppendUint32(m, crc32.ChecksumIEEE(m))...)
		}
	}
	return all
}

func eventStreamFrame(body []byte) *streams.Frame {
	return &streams.Frame{
		Source: streams.SourceEvent, Workflow: "wf", Stream: "s", ContentType: streams.ContentEventStream, Body: body,
		Captured: time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC), Count: framing.Count(framing.EventStream, body, true),
	}
}

// TestBinaryEventStream shows that what Bedrock answers over the wire says what its SDKs make of it.
func TestBinaryEventStream(t *testing.T) {
	lines := []byte(`{"messageStart":{"role":"assistant"}}
{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"text":"hel"}}}
{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"text":"lo"},"p":"abc"}}
{"contentBlockStop":{"contentBlockIndex":0}}
{"messageStop":{"stopReason":"end_turn"}}
{"metadata":{"usage":{"inputTokens":5,"outputTokens":2,"totalTokens":7}}}
{"throttlingException":{"message":"too many"}}
`)
	binaryEvents := bronze.Decode(eventStreamFrame(eventStream(t, lines)), 1)
	textEvents := bronze.Decode(frameOf(streams.SourceEvent, "s", lines), 1)
	if len(binaryEvents) != len(textEvents) {
		t.Fatalf("%d events, want %d", len(binaryEvents), len(textEvents))
	}
	for i := range textEvents {
		got, want := binaryEvents[i], textEvents[i]
		got.Digest, got.Raw, got.Bytes = want.Digest, want.Raw, want.Bytes
		if a, b := essence(t, &got), essence(t, &want); !bytes.Equal(a, b) {
			t.Errorf("%s, want %s", a, b)
		}
	}
	if last := binaryEvents[len(binaryEvents)-1]; last.Status != bronze.StatusError || last.Error != "too many" {
		t.Errorf("the exception is %+v", last)
	}
	// However the stream is cut into frames, its messages say the same.
	whole := eventStream(t, lines)
	var apart []bronze.Event
	for message := range framing.Texts(framing.EventStream, whole, true) {
		f := eventStreamFrame(message)
		f.Position = uint64(len(apart))
		apart = append(apart, bronze.Decode(f, 1)...)
	}
	if describe(apart) != describe(binaryEvents) {
		t.Errorf("apart they are\n%s", describe(apart))
	}
	// A model that was invoked in its own format.
	said := base64.StdEncoding.EncodeToString([]byte(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}`))
	chunk := bronze.Decode(eventStreamFrame(eventStream(t, []byte(`{"chunk":{"bytes":"`+said+`","p":"abc"}}`))), 1)
	if len(chunk) != 1 || chunk[0].Text != "hi" || chunk[0].Kind != bronze.KindTextDelta {
		t.Errorf("%+v", chunk)
	}
	// What broke off, and what is damaged.
	damaged := bytes.Replace(whole, []byte("hel"), []byte("hex"), 1)
	for reason, body := range map[string][]byte{"cut off": whole[:len(whole)-3], "checksum": damaged} {
		var dead []string
		for _, e := range bronze.Decode(eventStreamFrame(body), 1) {
			if e.Disposition == bronze.Dead {
				dead = append(dead, e.Reason)
			}
		}
		if len(dead) != 1 || !strings.Contains(dead[0], reason) {
			t.Errorf("%s: dead letters %q", reason, dead)
		}
	}
}

// TestBedrockRecordings holds the decoder to messages as they were on the wire.
func TestBedrockRecordings(t *testing.T) {
	dir, _ := samples(t)
	paths, _ := filepath.Glob(filepath.Join(dir, "bedrock-converse", "*", "*.eventstream.b64"))
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(text)), ""))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if !framing.IsEventStream(body) {
			t.Errorf("%s is not recognised", path)
		}
		sum := tellEvents(bronze.Decode(eventStreamFrame(body), 1))
		if len(sum.dead) > 0 || sum.output <= 0 {
			t.Errorf("%s: %+v", path, sum)
		}
	}
	if len(paths) == 0 {
		t.Skip("no recordings of event streams")
	}
}
