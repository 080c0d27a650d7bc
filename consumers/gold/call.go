package gold

import (
	"cmp"

	"github.com/google/uuid"

	"assay/consumers/bronze"
)

// call is what an entity adds to the metrics and the graph: a function of its state. Only entities with a capability
// are calls, and sessions are not: their notifications ask for nothing.
type call struct {
	use
	kind                             string // bronze.CapabilityModel and so on
	provider                         string
	latency                          int64 // microseconds, -1 if unknown
	bytes, inputTokens, outputTokens int64
	cost                             int64 // in billionths of a US dollar; unpriced if it is not known
}

// use is the part of a call that the graph shows.
type use struct {
	workflow, agent string
	capability      node
	moment          moment // of its start
	ended           int64  // never if it has not
	failed          bool
}

// callOf returns the call that the entity is, the zero call if it is none.
func callOf(id uuid.UUID, e *entity) (c call) {
	if e.capability.value == "" || e.kind == KindSession || e.hidden {
		return c
	}
	kind := NodeCapability
	switch e.kind {
	case KindMessage, bronze.KindUsage, bronze.KindEmbedding, bronze.KindTurn:
		kind = NodeModel
	}
	if e.capabilityKind.value == bronze.CapabilityModel {
		kind = NodeModel
	}
	return call{
		use: use{
			workflow: e.workflow, agent: e.agent.value, capability: node{kind, e.capability.value},
			moment: moment{e.started(), e.firstPosition, id}, ended: e.ended(), failed: e.failed(),
		},
		kind: cmp.Or(e.capabilityKind.value, defaultKinds[kind]), provider: e.provider.value, latency: e.latency(), bytes: e.bytes,
		inputTokens: max(e.inputTokens, 0), outputTokens: max(e.outputTokens, 0), cost: e.nanodollars(),
	}
}

func (c *call) none() bool { return c.capability.name == "" }

// defaultKinds are the kinds of capabilities of which no event says it.
var defaultKinds = map[string]string{NodeModel: bronze.CapabilityModel, NodeCapability: bronze.CapabilityTool}
