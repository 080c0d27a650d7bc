package bronze

import (
	"encoding/base64"

	"github.com/valyala/fastjson"

	"assay/internal/capture/framing"
)

// message decodes a message of AWS's event stream, in which Bedrock answers: as the object with one member that its SDKs make of
// it, or, of a model that was invoked in the model's own format, as what the model said.
func (d *decoder) message(raw []byte) {
	e := d.add(raw)
	defer d.rescue(len(d.events) - 1)
	m, err := framing.ParseMessage(raw)
	if err != nil {
		e.Kill(err.Error())
		return
	}
	text := messageObject(m)
	v := d.parse(text)
	if v == nil {
		e.Kill("the payload of a message of an event stream is " + whyNotJSON(text))
		return
	}
	if inner, err := base64.StdEncoding.DecodeString(textAt(v, "chunk", "bytes")); err == nil && len(inner) > 0 {
		if said := d.parse(validBytes(inner)); is(said, fastjson.TypeObject) {
			text, v = validBytes(inner), said
		} else {
			v = d.parse(text) // which the parser has forgotten
		}
	}
	d.raw = text
	d.object(e, v, "")
	d.finish(e)
}

// messageObject is a message as a JSON object with one member: its type, and what it says.
func messageObject(m framing.Message) []byte {
	payload := validBytes(m.Payload)
	if len(payload) == 0 {
		payload = appendQuoted([]byte(`{"message":`), validBytes(m.Error))
		payload = append(payload, '}')
	}
	object := append(appendQuoted([]byte{'{'}, validBytes(m.Type)), ':')
	return append(append(object, payload...), '}')
}
