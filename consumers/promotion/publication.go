package promotion

import (
	"encoding/json"
	"fmt"
	"time"
)

// State is how far a publication has come.
type State string

// The states. Pending leads to either of the others; Rejected back to Pending, by command.
const (
	Pending   State = "pending"
	Published State = "published"
	Rejected  State = "rejected"
)

// Publication is a promotion on its way: an entry of the bucket, whose key is the event_uuid, and a row of the table.
type Publication struct {
	EventUUID   string          `json:"event_uuid" col:"event_uuid"`
	EventCID    string          `json:"event_cid" col:"event_cid"`
	Workflow    string          `json:"workflow" col:"workflow_id"`
	Payload     json.RawMessage `json:"promotion,omitempty"` // the event as captured
	Time        time.Time       `json:"timestamp,omitzero" col:"ts"`
	State       State           `json:"state" col:"state"`
	Accepted    time.Time       `json:"accepted,omitzero"`
	Registry    string          `json:"registry,omitempty" col:"registry"` // the one that was asked last
	URN         string          `json:"urn,omitempty" col:"urn"`
	Attempts    int64           `json:"attempts" col:"attempts"` // at that registry
	NextAttempt time.Time       `json:"next_attempt,omitzero" col:"next_attempt_at"`
	PublishedAt time.Time       `json:"published_at,omitzero" col:"published_at"`
	LastError   string          `json:"last_error,omitempty" col:"reason"`

	Asked      bool   `json:"asked,omitempty"`      // NextAttempt is the registry's Retry-After: a restart does not shorten it
	Unanswered bool   `json:"unanswered,omitempty"` // the last attempt may have succeeded: ask before sending again
	Lease      *Lease `json:"lease,omitempty"`      // an attempt has begun; its outcome is not recorded yet
}

// Lease keeps other instances from publishing what one is publishing. Its expiry is safe: who takes a publication over
// asks first.
type Lease struct {
	Owner string    `json:"owner"`
	Until time.Time `json:"until"`
}

// newPublication is the pending publication of a promotion accepted now.
func newPublication(p *Promotion, payload []byte, now time.Time) *Publication {
	return &Publication{
		EventUUID: p.EventUUID, EventCID: p.EventCID, Workflow: p.Workflow, Payload: payload, Time: p.Time(),
		State: Pending, Accepted: now.UTC(), NextAttempt: now.UTC(),
	}
}

// due is when the publication may be tried by owner at registry. At start an earlier life's own backing off no longer
// counts, for the restart may be what mends things; and one registry's wish to wait does not bind another.
func (p *Publication) due(owner, registry string, start bool) time.Time {
	var at time.Time
	if sameRegistry := p.Registry == registry; sameRegistry && (p.Asked || !start) {
		at = p.NextAttempt
	}
	if p.Lease != nil && p.Lease.Owner != owner && p.Lease.Until.After(at) {
		at = p.Lease.Until
	}
	return at
}

// promotion reads the payload again, which was checked when it was accepted.
func (p *Publication) promotion() (Promotion, error) {
	return Parse(p.EventUUID, p.Workflow, p.Payload)
}

func (p *Publication) encode() ([]byte, error) {
	value, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("promotion: encode entry %s: %w", p.EventUUID, err)
	}
	return value, nil
}

func decodePublication(key string, value []byte) (*Publication, error) {
	var p Publication
	if err := json.Unmarshal(value, &p); err != nil {
		return nil, fmt.Errorf("promotion: entry %s of the bucket is not a publication: %w", key, err)
	}
	if p.EventUUID != key {
		return nil, fmt.Errorf("promotion: entry %s of the bucket is about %q", key, p.EventUUID)
	}
	return &p, nil
}
