package bronze

import (
	"bytes"
	"encoding/json"
	"strings"

	"assay/kernels"
)

// continuous applies the token gate to a continuous observation: its payload gets the pruned token_buffer and
// tokens_removed, while the log keeps the original. The event's own contract comes before the configured one.
//
// A contract that cannot be used leaves the buffer as it is; Error says why, so that such events can be counted.
func (d *decoder) continuous(e *Event) {
	members := map[string]json.RawMessage{}
	var tokens []string
	if json.Unmarshal([]byte(e.Payload), &members) != nil || json.Unmarshal(members["token_buffer"], &tokens) != nil {
		return
	}
	e.Text = strings.Join(tokens, " ")
	contract := contractOf(members["disfluency_contract"])
	if contract == nil {
		contract = d.contract
	}
	if contract == nil {
		return
	}
	kept, removed, err := kernels.PruneTokens(tokens, *contract)
	if err != nil {
		e.Error = valid("token gate: " + err.Error())
		return
	}
	e.Removed = removed
	e.Text = strings.Join(kept, " ")
	members["token_buffer"] = marshal(kept)
	members["tokens_removed"] = marshal(removed)
	e.Payload = string(marshal(members))
}

// contractOf reads a StreamingDisfluencyContract, nil if there is none.
func contractOf(raw json.RawMessage) *kernels.Contract {
	var c *struct {
		DecayThreshold float64 `json:"decay_threshold"`
		RepairMarker   string  `json:"repair_marker_regex"`
		MaxLookback    int     `json:"max_lookback_window"`
	}
	if raw == nil || json.Unmarshal(raw, &c) != nil || c == nil {
		return nil
	}
	return &kernels.Contract{DecayThreshold: c.DecayThreshold, RepairMarker: c.RepairMarker, MaxLookback: c.MaxLookback}
}

// marshal renders what has just been parsed, with the members of an object in order of their names.
func marshal(v any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // strings, numbers and parsed JSON always marshal
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'})
}
