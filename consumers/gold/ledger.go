package gold

// ledger gathers what a group of messages changes in the metrics and the graph. Both are sums over calls, so a call
// that changes is taken out as it was and put in as it is now: the sums depend on the states alone, not on the way there.
type ledger struct {
	metrics  map[metricKey]*metricChange
	elements map[element]*elementChange
}

func newLedger() *ledger {
	return &ledger{metrics: map[metricKey]*metricChange{}, elements: map[element]*elementChange{}}
}

// replace takes one state of a call out and puts another in; either may be none.
func (l *ledger) replace(before, now call) {
	if before == now {
		return
	}
	l.measure(before, -1)
	l.measure(now, +1)
	if before.use != now.use {
		l.connect(before.use, -1)
		l.connect(now.use, +1)
	}
}

// measure adds sign times the call to its metric.
func (l *ledger) measure(c call, sign int64) {
	if c.none() {
		return
	}
	k := metricKey{c.capability.name, c.kind, c.provider, bucketOf(c.moment.at)}
	m := l.metrics[k]
	if m == nil {
		m = &metricChange{bins: map[int32]int64{}, workflows: map[string]int64{}}
		l.metrics[k] = m
	}
	m.calls += sign
	m.bytes += sign * c.bytes
	m.inputTokens += sign * c.inputTokens
	m.outputTokens += sign * c.outputTokens
	if c.cost >= 0 {
		m.priced += sign
		m.cost += sign * c.cost
	}
	if c.failed {
		m.errors += sign
	}
	if c.latency >= 0 {
		m.bins[binOf(c.latency)] += sign
	}
	m.workflows[c.workflow] += sign
}

// connect adds sign times the use to its nodes and edges; which calls follow each other is left to follow.
func (l *ledger) connect(u use, sign int64) {
	if u.capability.name == "" {
		return
	}
	callers := []node{{NodeWorkflow, u.workflow}}
	if u.agent != "" {
		callers = append(callers, node{NodeAgent, u.agent})
	}
	l.count(element{source: u.capability}, u, u.moment, sign)
	for _, caller := range callers {
		l.count(element{source: caller}, u, u.moment, sign)
		l.count(element{caller, u.capability, RelationCalls}, u, u.moment, sign)
		if u.ended != never {
			answer := moment{u.ended, u.moment.position, u.moment.entity}
			l.count(element{u.capability, caller, RelationAnswers}, u, answer, sign)
		}
	}
}

// count adds sign times a use to one node or edge.
func (l *ledger) count(el element, u use, m moment, sign int64) {
	c := l.elements[el]
	if c == nil {
		c = &elementChange{removed: map[moment]node{}, added: map[moment]node{}}
		l.elements[el] = c
	}
	c.count += sign
	if u.failed {
		c.errors += sign
	}
	if sign > 0 {
		c.added[m] = u.capability
	} else {
		c.removed[m] = u.capability
	}
}

// metricChange is what is added to a metric; any of it may be negative.
type metricChange struct {
	calls, errors, bytes, inputTokens, outputTokens int64
	priced, cost                                    int64
	bins                                            map[int32]int64
	workflows                                       map[string]int64
}

// elementChange is what is added to a node or edge, and which moments it loses and gains, with their capability.
type elementChange struct {
	count, errors  int64
	removed, added map[moment]node
}

// settle drops the moments that stay as they are.
func (c *elementChange) settle() {
	for m, capability := range c.removed {
		if now, ok := c.added[m]; ok && now == capability {
			delete(c.removed, m)
			delete(c.added, m)
		}
	}
}

func (c *elementChange) nothing() bool {
	return c.count == 0 && c.errors == 0 && len(c.removed) == 0 && len(c.added) == 0
}
