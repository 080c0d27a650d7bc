package gold

// TraceCount says what traces has of one workflow, so that nobody has to read its rows to know.
type TraceCount struct {
	Events        int64
	LastBronzeSeq int64 // of the newest frame that brought one of them; it may differ where the same events come again
}

// TraceCount returns what traces has of a workflow.
func (g *Gold) TraceCount(workflow string) (TraceCount, error) {
	found, err := load(g.state.db, traceCountKey(workflow), decodeTraceCount)
	if err != nil || found == nil {
		return TraceCount{}, err
	}
	return *found, nil
}

func traceCountKey(workflow string) []byte { return append([]byte{keyTraces}, workflow...) }

func (t *TraceCount) encode() []byte {
	w := make(encoder, 0, 16)
	w.int(t.Events)
	w.int(t.LastBronzeSeq)
	return w
}

func decodeTraceCount(record []byte) (*TraceCount, error) {
	d := decoder{rest: record}
	t := &TraceCount{d.int(), d.int()}
	return t, d.end()
}

// countTrace counts a row that traces is to have.
func (f *folding) countTrace(workflow string, bronzeSeq int64) {
	t := f.traces[workflow]
	if t == nil {
		t = &TraceCount{}
		f.traces[workflow] = t
	}
	t.Events++
	t.LastBronzeSeq = max(t.LastBronzeSeq, bronzeSeq)
}

// writeTraceCounts adds the group's rows to their workflows' counts.
func (f *folding) writeTraceCounts() error {
	for workflow, came := range f.traces {
		k := traceCountKey(workflow)
		before, err := load(f.g.state.db, k, decodeTraceCount)
		if err != nil {
			return err
		}
		if before != nil {
			came.Events += before.Events
			came.LastBronzeSeq = max(came.LastBronzeSeq, before.LastBronzeSeq)
		}
		if err := f.set(k, came.encode()); err != nil {
			return err
		}
	}
	return nil
}
