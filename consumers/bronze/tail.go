package bronze

import (
	"bytes"
	"fmt"

	"assay/internal/capture/framing"
)

// tail tells of an SSE stream that ends within an event, which only the last bytes of a stream do. The event is not dispatched,
// as the specification has it, but that something was cut off belongs into the record.
func (d *decoder) tail() {
	if bytes.HasSuffix(d.frame.Body, []byte("\n\n")) || bytes.HasSuffix(d.frame.Body, []byte("\r\n\r\n")) {
		return // the common case: nothing to look for
	}
	rest := framing.Unfinished(d.frame.Body, d.frame.Position == 0)
	if !bytes.HasPrefix(rest, []byte("data")) && !bytes.Contains(rest, []byte("\ndata")) && !bytes.Contains(rest, []byte("\rdata")) {
		return
	}
	e := d.event(d.frame.Position+d.records, rest)
	e.Kind, e.Phase, e.Status, e.IntentID, e.Role = KindStreamCut, PhaseError, StatusError, d.intent(), RoleAssistant
	e.Error = fmt.Sprintf("the stream ended within an event, %d bytes of which had come", len(rest))
	e.Payload = quote(validBytes(rest))
	d.events = append(d.events, e)
}
