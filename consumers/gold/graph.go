package gold

import (
	"github.com/google/uuid"

	"assay/kernels"
)

// Types of nodes of the usage graph.
const (
	NodeWorkflow   = "workflow"
	NodeAgent      = "agent"
	NodeCapability = "capability" // a tool or method
	NodeModel      = "model"
)

// Relations of its edges.
const (
	RelationCalls   = "calls"   // workflow or agent → capability: it began a call
	RelationAnswers = "answers" // capability → workflow or agent: a call ended
	RelationFollows = "follows" // capability → capability: the next call of the same workflow, by time
)

// node is a node of the usage graph.
type node struct{ kind, name string }

// element is a node (then relation and target are empty) or an edge of the usage graph.
type element struct {
	source, target node
	relation       string
}

func (el element) isNode() bool { return el.relation == "" }

func (el element) id(namespace uuid.UUID) uuid.UUID {
	return kernels.UUID(namespace, kernels.JoinStrings("usage_graph", el.relation,
		el.source.kind, el.source.name, el.target.kind, el.target.name))
}

// tally is how often an element was used. When it was first and last used is what its time keys tell.
type tally struct {
	element
	count, errors int64
}

func (t *tally) encode() []byte {
	w := make(encoder, 0, 128)
	w.string(t.source.kind)
	w.string(t.source.name)
	w.string(t.target.kind)
	w.string(t.target.name)
	w.string(t.relation)
	w.int(t.count)
	w.int(t.errors)
	return w
}

func decodeTally(record []byte) (*tally, error) {
	d := decoder{rest: record}
	t := &tally{
		element: element{node{d.string(), d.string()}, node{d.string(), d.string()}, d.string()},
		count:   d.int(), errors: d.int(),
	}
	return t, d.end()
}
