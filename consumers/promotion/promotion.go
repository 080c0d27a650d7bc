package promotion

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// topologyClass discriminates promotions among state events.
const topologyClass = "epistemic_promotion"

// Limits of a promotion.
const (
	cidCharsMax         = 128
	timestampMaxSeconds = 253_402_300_799 // the end of the year 9999
	payloadBytesMax     = 768 << 10       // an entry of the bucket must fit into one message of 1 MiB
)

// cidPattern is the form of a content identifier.
var cidPattern = regexp.MustCompile(`^[a-zA-Z0-9_.:-]{1,128}$`)

// Promotion is an epistemic_promotion event: an agent's claim that episodes were condensed into knowledge worth
// publishing. It marshals to the event without what the schema does not know.
type Promotion struct {
	EventUUID string `json:"-"` // identity of the event, and the idempotency key of its publication
	Workflow  string `json:"-"`

	TopologyClass    string   `json:"topology_class"`
	TenantCID        string   `json:"tenant_cid,omitempty"`
	EventCID         string   `json:"event_cid"`
	Timestamp        float64  `json:"timestamp"`                      // seconds since 1970
	Sources          []string `json:"source_episodic_event_cids"`     // sorted
	NodeCID          string   `json:"crystallized_semantic_node_cid"` // the knowledge
	CompressionRatio float64  `json:"compression_ratio"`              // 0 to 1
}

// Time is the event's own time, to the microsecond.
func (p *Promotion) Time() time.Time {
	return time.UnixMicro(int64(math.Round(p.Timestamp * 1e6))).UTC()
}

// Parse reads a promotion from the JSON of its event and checks it against the schema. Members that the schema does not
// know, such as workflow_id, are passed over. Errors wrap ErrInvalid and name the member at fault.
func Parse(eventUUID, workflow string, payload []byte) (Promotion, error) {
	p := Promotion{EventUUID: eventUUID, Workflow: workflow}
	if id, err := uuid.Parse(eventUUID); err != nil || id.String() != eventUUID {
		return p, fmt.Errorf("%w: event_uuid %q is not a UUID in lower case", ErrInvalid, eventUUID)
	}
	if len(payload) > payloadBytesMax {
		return p, fmt.Errorf("%w: %d bytes, more than %d", ErrInvalid, len(payload), payloadBytesMax)
	}
	if !utf8.Valid(payload) || !utf8.ValidString(workflow) {
		return p, fmt.Errorf("%w: not UTF-8", ErrInvalid)
	}
	if err := p.decode(payload); err != nil {
		return p, err
	}
	return p, p.check()
}

// decode matches members by their exact names, which json.Unmarshal into a struct would not.
func (p *Promotion) decode(payload []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(payload, &members); err != nil {
		return fmt.Errorf("%w: not a JSON object: %w", ErrInvalid, err)
	}
	p.TopologyClass = topologyClass
	var err error
	optional := func(name string, into any) {
		if raw, ok := members[name]; ok && err == nil {
			if e := json.Unmarshal(raw, into); e != nil {
				err = fmt.Errorf("%w: %s: %w", ErrInvalid, name, e)
			}
		}
	}
	required := func(name string, into any) {
		if raw, ok := members[name]; err == nil && (!ok || string(raw) == "null") {
			err = fmt.Errorf("%w: %s is missing", ErrInvalid, name)
		}
		optional(name, into)
	}
	optional("topology_class", &p.TopologyClass)
	optional("tenant_cid", &p.TenantCID)
	required("event_cid", &p.EventCID)
	required("timestamp", &p.Timestamp)
	required("source_episodic_event_cids", &p.Sources)
	required("crystallized_semantic_node_cid", &p.NodeCID)
	required("compression_ratio", &p.CompressionRatio)
	return err
}

func (p *Promotion) check() error {
	fault := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
	}
	switch {
	case p.TopologyClass != topologyClass:
		return fault("topology_class is %q", p.TopologyClass)
	case p.TenantCID != "" && !cidPattern.MatchString(p.TenantCID):
		return fault("tenant_cid %.200q is not 1 to %d of A-Z a-z 0-9 _ . : -", p.TenantCID, cidCharsMax)
	case !cidPattern.MatchString(p.EventCID):
		return fault("event_cid %.200q is not 1 to %d of A-Z a-z 0-9 _ . : -", p.EventCID, cidCharsMax)
	case !cidPattern.MatchString(p.NodeCID):
		return fault("crystallized_semantic_node_cid %.200q is not 1 to %d of A-Z a-z 0-9 _ . : -", p.NodeCID, cidCharsMax)
	case p.Timestamp < 0 || p.Timestamp > timestampMaxSeconds:
		return fault("timestamp %v is not within 0 and %d seconds", p.Timestamp, timestampMaxSeconds)
	case p.CompressionRatio < 0 || p.CompressionRatio > 1:
		return fault("compression_ratio %v is not within 0 and 1", p.CompressionRatio)
	case !slices.IsSorted(p.Sources):
		return fault("source_episodic_event_cids are not sorted")
	}
	for i, cid := range p.Sources {
		if n := utf8.RuneCountInString(cid); n < 1 || n > cidCharsMax {
			return fault("source_episodic_event_cids[%d] has %d characters, not 1 to %d", i, n, cidCharsMax)
		}
	}
	return nil
}
