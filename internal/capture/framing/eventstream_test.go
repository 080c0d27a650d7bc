package framing_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"

	"assay/internal/capture/framing"
)

// message makes a message with text headers, names and values in turn.
func message(payload string, headers ...string) []byte {
	var h []byte
	for i := 0; i < len(headers); i += 2 {
		h = append(append(h, byte(len(headers[i]))), headers[i]...)
		h = append(binary.BigEndian.AppendUint16(append(h, 7), uint16(len(headers[i+1]))), headers[i+1]...)
	}
	m := binary.BigEndian.AppendUint32(nil, uint32(16+len(h)+len(payload)))
	m = binary.BigEndian.AppendUint32(m, uint32(len(h)))
	m = binary.BigEndian.AppendUint32(m, crc32.ChecksumIEEE(m))
	m = append(append(m, h...), payload...)
	return binary.BigEndian.AppendUint32(m, crc32.ChecksumIEEE(m))
}

func TestParseMessage(t *testing.T) {
	whole := message(`{"a":1}`, ":message-type", "event", ":event-type", "messageStart")
	m, err := framing.ParseMessage(whole)
	if err != nil || string(m.Type) != "messageStart" || string(m.Payload) != `{"a":1}` || !framing.IsEventStream(whole) {
		t.Errorf("%+v, %v", m, err)
	}
	m, err = framing.ParseMessage(message("", ":message-type", "error", ":error-code", "InternalError", ":error-message", "gone"))
	if err != nil || string(m.Type) != "InternalError" || string(m.Error) != "gone" {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := framing.ParseMessage(message("")); err != nil {
		t.Errorf("a message of nothing: %v", err)
	}
	for i := range whole { // one bit anywhere, or an end anywhere
		damaged := append([]byte(nil), whole...)
		damaged[i] ^= 1
		if _, err := framing.ParseMessage(damaged); !errors.Is(err, framing.ErrMessage) {
			t.Errorf("with byte %d damaged: %v", i, err)
		}
		if _, err := framing.ParseMessage(whole[:i]); !errors.Is(err, framing.ErrMessage) {
			t.Errorf("cut off after %d bytes: %v", i, err)
		}
	}
	for _, text := range []string{"", "{}", "data: x\n\n", "{\"a long enough one\": 1}"} {
		if framing.IsEventStream([]byte(text)) {
			t.Errorf("%q is taken for an event stream", text)
		}
	}
}

func FuzzParseMessage(f *testing.F) {
	f.Add(message(`{}`, ":event-type", "chunk"))
	f.Add(message(``, ":error-code", "x", ":error-message", "y"))
	f.Fuzz(func(_ *testing.T, raw []byte) { _, _ = framing.ParseMessage(raw) })
}
