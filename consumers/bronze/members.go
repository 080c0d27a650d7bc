package bronze

import (
	"slices"

	"github.com/valyala/fastjson"

	"assay/internal/capture/formats"
	"assay/internal/capture/mapping"
	"assay/streams"
)

// Members are the names under which a state event's members are understood, by what they tell.
func Members() map[mapping.Field][]string {
	return map[mapping.Field][]string{
		mapping.Kind: keysKind, mapping.ID: keysEventID, mapping.Intent: keysIntent, mapping.Workflow: keysWorkflow,
		mapping.Agent: keysAgent, mapping.Parent: keysParent, mapping.Tool: keysTool, mapping.Time: keysTime, mapping.Text: keysText,
		mapping.Status: {"status", "success", "is_error", "isError"}, mapping.Error: {"error"},
		mapping.Duration: {string(mapping.Duration)}, mapping.InputTokens: {string(mapping.InputTokens)},
		mapping.OutputTokens: {string(mapping.OutputTokens)}, mapping.CachedTokens: {string(mapping.CachedTokens)},
		mapping.WrittenTokens: {string(mapping.WrittenTokens)}, mapping.ReasoningTokens: {string(mapping.ReasoningTokens)},
		mapping.Cost: {string(mapping.Cost)},
	}
}

// otherMembers are understood in events of some kinds.
var otherMembers = slices.Concat(keysRetracted, keysSources, keysRetraction, []string{
	"payload", "parameters", "arguments", "args", "input", "finish_reason", "is_final", "is_last", "final", "last", "done",
	"from_state", "from", "old_state", "to_state", "to", "new_state",
	"crystallized_semantic_node_cid", "compression_ratio", "propagated_decay_factor", "target_event_cid", "token_buffer",
})

// Ignored returns the names of the members of one of a user's own events that mean nothing to the decoder. Of events in a
// known format it returns none.
func Ignored(f *streams.Frame, raw []byte) (names []string) {
	v, err := fastjson.ParseBytes(raw)
	if err != nil || f.Source != streams.SourceEvent || v.Type() != fastjson.TypeObject || formats.Of(v) != formats.Unknown || isCloudEvent(v) {
		return nil
	}
	known := map[string]bool{}
	for _, all := range Members() {
		for _, name := range all {
			known[name] = true
		}
	}
	for _, name := range otherMembers {
		known[name] = true
	}
	mapped, _ := mapping.Parse(f.Map) // the decoder has told that it is none
	for _, path := range mapped {
		known[path[0]] = true
	}
	v.GetObject().Visit(func(key []byte, _ *fastjson.Value) {
		if !known[string(key)] {
			names = append(names, string(key))
		}
	})
	return names
}
