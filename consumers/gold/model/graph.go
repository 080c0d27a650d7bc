package model

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

// Node is a node of the usage graph.
type Node struct{ Kind, Name string }

// ElementKey is a node (then relation and target are empty) or an edge of the usage graph.
type ElementKey struct {
	Source, Target Node
	Relation       string
}

// IsNode tells a node from an edge.
func (el ElementKey) IsNode() bool { return el.Relation == "" }

// ID names the row of the usage graph.
func (el ElementKey) ID(namespace uuid.UUID) uuid.UUID {
	return kernels.UUID(namespace, kernels.JoinStrings("usage_graph", el.Relation,
		el.Source.Kind, el.Source.Name, el.Target.Kind, el.Target.Name))
}

// ElementCount is how often an element was used. When it was first and last used is what its time keys tell.
type ElementCount struct {
	ElementKey
	Count, Errors int64
}

// Encode writes the record.
func (t *ElementCount) Encode() []byte {
	w := make(Encoder, 0, 128)
	w.string(t.Source.Kind)
	w.string(t.Source.Name)
	w.string(t.Target.Kind)
	w.string(t.Target.Name)
	w.string(t.Relation)
	w.int(t.Count)
	w.int(t.Errors)
	return w
}

// DecodeElementCount reads what Encode wrote.
func DecodeElementCount(record []byte) (*ElementCount, error) {
	d := Decoder{Rest: record}
	t := &ElementCount{
		ElementKey: ElementKey{Node{d.string(), d.string()}, Node{d.string(), d.string()}, d.string()},
		Count:      d.Int(), Errors: d.Int(),
	}
	return t, d.End()
}

// EncodeNode writes a node as a record.
func EncodeNode(n Node) []byte {
	var w Encoder
	w.string(n.Kind)
	w.string(n.Name)
	return w
}

// DecodeNode reads what EncodeNode wrote.
func DecodeNode(record []byte) (Node, error) {
	d := Decoder{Rest: record}
	n := Node{d.string(), d.string()}
	return n, d.End()
}
