package bronze

import (
	"slices"

	"assay/kernels"
)

// sheddable reports whether e may be spared under load: pieces of text and reasoning, heartbeats and progress. The piece
// that also ends a message, counts its tokens or refuses is not, and nothing else is.
func sheddable(e *Event) bool {
	switch e.Kind {
	case KindHeartbeat, KindRPCProgress:
		return true
	case KindTextDelta, KindReasoningDelta, KindTokenChunk:
		return e.Phase == PhaseDelta && e.FinishReason == "" && (e.repeated || e.InputTokens < 0 && e.OutputTokens < 0) &&
			!slices.ContainsFunc(e.Fragments, func(f Fragment) bool { return f.Type == FragmentRefusal })
	}
	return false
}

// LoadGate sheds the sheddable events whose key <stream>:<position>:<text> has a value below threshold, the one in force
// when their frame was captured. It returns how many it shed.
func LoadGate(events []Event, threshold float64) (shed int) {
	if threshold <= 0 {
		return 0 // the common case: no load, and nothing to hash
	}
	for i := range events {
		e := &events[i]
		if e.Disposition == Kept && e.Sheddable && kernels.LoadSheds(e.StreamID, e.Position, e.Text, threshold) {
			e.Disposition = Shed
			shed++
		}
	}
	return shed
}
