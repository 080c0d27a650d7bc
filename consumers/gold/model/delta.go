package model

// Delta gathers what a group of messages changes in the metrics and the graph. Both are sums over calls, so a call
// that changes is taken out as it was and put in as it is now: the sums depend on the states alone, not on the way there.
type Delta struct {
	Metrics  map[MetricKey]*MetricDelta
	Elements map[ElementKey]*ElementDelta
}

// NewDelta returns one without changes.
func NewDelta() *Delta {
	return &Delta{Metrics: map[MetricKey]*MetricDelta{}, Elements: map[ElementKey]*ElementDelta{}}
}

// Replace takes one state of a call out and puts another in; either may be none.
func (l *Delta) Replace(before, now Call) {
	if before == now {
		return
	}
	l.measure(before, -1)
	l.measure(now, +1)
	if before.Use != now.Use {
		l.connect(before.Use, -1)
		l.connect(now.Use, +1)
	}
}

// measure adds sign times the call to its metric.
func (l *Delta) measure(c Call, sign int64) {
	if c.None() {
		return
	}
	k := MetricKey{c.Capability.Name, c.kind, c.Provider, bucketOf(c.Start.At)}
	m := l.Metrics[k]
	if m == nil {
		m = &MetricDelta{bins: map[int32]int64{}, Workflows: map[string]int64{}}
		l.Metrics[k] = m
	}
	m.calls += sign
	m.bytes += sign * c.Bytes
	m.inputTokens += sign * c.InputTokens
	m.outputTokens += sign * c.OutputTokens
	if c.Cost >= 0 {
		m.priced += sign
		m.cost += sign * c.Cost
	}
	if c.Failed {
		m.errors += sign
	}
	if c.Latency >= 0 {
		m.bins[binOf(c.Latency)] += sign
	}
	m.Workflows[c.Workflow] += sign
}

// connect adds sign times the use to its nodes and edges; which calls follow each other is left to follow.
func (l *Delta) connect(u Use, sign int64) {
	if u.Capability.Name == "" {
		return
	}
	callers := []Node{{NodeWorkflow, u.Workflow}}
	if u.Agent != "" {
		callers = append(callers, Node{NodeAgent, u.Agent})
	}
	l.Count(ElementKey{Source: u.Capability}, u, u.Start, sign)
	for _, caller := range callers {
		l.Count(ElementKey{Source: caller}, u, u.Start, sign)
		l.Count(ElementKey{caller, u.Capability, RelationCalls}, u, u.Start, sign)
		if u.Ended != Never {
			answer := TimeKey{u.Ended, u.Start.Position, u.Start.Entity}
			l.Count(ElementKey{u.Capability, caller, RelationAnswers}, u, answer, sign)
		}
	}
}

// Count adds sign times a use to one node or edge.
func (l *Delta) Count(el ElementKey, u Use, m TimeKey, sign int64) {
	c := l.Elements[el]
	if c == nil {
		c = &ElementDelta{Removed: map[TimeKey]Node{}, Added: map[TimeKey]Node{}}
		l.Elements[el] = c
	}
	c.Count += sign
	if u.Failed {
		c.Errors += sign
	}
	if sign > 0 {
		c.Added[m] = u.Capability
	} else {
		c.Removed[m] = u.Capability
	}
}

// MetricDelta is what is added to a metric; any of it may be negative.
type MetricDelta struct {
	calls, errors, bytes, inputTokens, outputTokens int64
	priced, cost                                    int64
	bins                                            map[int32]int64
	Workflows                                       map[string]int64
}

// ElementDelta is what is added to a node or edge, and which time keys it loses and gains, with their capability.
type ElementDelta struct {
	Count, Errors  int64
	Removed, Added map[TimeKey]Node
}

// DropUnchanged drops the time keys that stay as they are.
func (c *ElementDelta) DropUnchanged() {
	for m, capability := range c.Removed {
		if now, ok := c.Added[m]; ok && now == capability {
			delete(c.Removed, m)
			delete(c.Added, m)
		}
	}
}

// IsZero tells whether nothing changes.
func (c *ElementDelta) IsZero() bool {
	return c.Count == 0 && c.Errors == 0 && len(c.Removed) == 0 && len(c.Added) == 0
}

// Workflows returns the nodes of workflows, apart from the map because following adds to it.
func (l *Delta) Workflows() map[ElementKey]*ElementDelta {
	nodes := map[ElementKey]*ElementDelta{}
	for el, change := range l.Elements {
		if el.IsNode() && el.Source.Kind == NodeWorkflow {
			nodes[el] = change
		}
	}
	return nodes
}
