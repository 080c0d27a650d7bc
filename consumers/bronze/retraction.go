package bronze

import (
	"strings"

	"github.com/valyala/fastjson"
)

// Kinds of retractions. A CloudEvent's type may have any prefix that ends with a dot.
const (
	KindCascade    = "defeasible_cascade" // a belief turned out false, and what was built on it
	KindRollback   = "rollback_intent"    // a workflow goes back, and leaves some of its events behind
	KindRetraction = "retraction"         // any other event that takes back what others said
)

// retractions are the spellings of these kinds.
var retractions = map[string]bool{
	KindCascade: true, "defeasible_cascade_event": true, "DefeasibleCascade": true, "DefeasibleCascadeEvent": true,
	KindRollback: true, "rollback": true, "RollbackIntent": true, "RollbackEvent": true,
	KindRetraction: true, "retraction_event": true, "Retraction": true, "RetractionEvent": true,
}

// The names under which retractions and promotions write what they are about. Each holds a string or a list of them. A
// rollback's target_event_cid is not among them: it is where the workflow goes back to.
var (
	keysRetracted = []string{
		"root_falsified_event_cid", "quarantined_event_cids", "invalidated_node_cids", "invalidated_event_cids",
		"retracted_event_cid", "retracted_event_cids", "retracts",
	}
	keysSources = []string{"source_episodic_event_cids"}
	// keysRetraction are the ids of retractions, which some producers give instead of an event's.
	keysRetraction = []string{"cascade_cid", "request_cid", "retraction_cid"}
)

// IsRetraction tells whether events of a kind take back what others said.
func IsRetraction(kind string) bool { return retractions[kind[strings.LastIndexByte(kind, '.')+1:]] }

// Retracted returns the names of what an event takes back, nil if it is no retraction: own ids of events, ids of events or
// entities as UUIDs, or intents of its workflow. payload is the event's JSON.
func Retracted(kind, payload string) []string {
	if !IsRetraction(kind) {
		return nil
	}
	return namesAt(payload, keysRetracted)
}

// Sources returns the own ids or UUIDs of the events that a promotion was made of, nil for events of other kinds.
func Sources(kind, payload string) []string {
	if kind != KindPromotion {
		return nil
	}
	return namesAt(payload, keysSources)
}

// namesAt gathers the strings under some keys, at the top and in the payload.
func namesAt(payload string, keys []string) (names []string) {
	top, err := fastjson.Parse(payload)
	if err != nil {
		return nil // what is no JSON names nothing
	}
	for _, v := range []*fastjson.Value{top, top.Get("payload"), top.Get("data")} {
		for _, key := range keys {
			listed := v.GetArray(key)
			if listed == nil {
				listed = []*fastjson.Value{v.Get(key)}
			}
			for _, name := range listed {
				if s := name.GetStringBytes(); len(s) > 0 {
					names = append(names, string(s))
				}
			}
		}
	}
	return names
}

// retractionKind recognises a retraction without discriminator by what only retractions have, "" if it is none.
func retractionKind(v *fastjson.Value) string {
	switch {
	case isString(v, "root_falsified_event_cid") && isArray(v, "quarantined_event_cids"):
		return KindCascade
	case isArray(v, "invalidated_node_cids") && isString(v, "target_event_cid"):
		return KindRollback
	}
	return ""
}

// retraction completes an event that takes back others.
func (e *Event) retraction(v *fastjson.Value) {
	if IsRetraction(e.Kind) && e.EventID == "" {
		e.EventID = text(v, keysRetraction...)
	}
}
