package gold

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"assay/consumers/bronze"
)

// told is an event as all its captures together tell it.
type told struct {
	capture
	streams   []string
	positions []uint64
	parts     []uint32
}

// tell brings captures together by event, and the kept events together by entity, in the total order of events.
func tell(captures []capture) (events map[uuid.UUID]*told, entities map[uuid.UUID][]*told) {
	events, entities = map[uuid.UUID]*told{}, map[uuid.UUID][]*told{}
	for _, c := range captures {
		e := events[c.id]
		if e == nil || rankDisposition(c.disposition) > rankDisposition(e.disposition) {
			e = &told{capture: c}
			events[c.id] = e
		}
		if c.disposition == e.disposition {
			e.captured = min(e.captured, c.captured)
			e.streams, e.positions = append(e.streams, c.stream), append(e.positions, c.position)
			e.parts = append(e.parts, c.part)
		}
	}
	for _, e := range events {
		if e.disposition == bronze.Kept {
			entities[e.entity] = append(entities[e.entity], e)
		}
	}
	for _, of := range entities {
		slices.SortFunc(of, func(a, b *told) int { return a.stamp().compare(b.stamp()) })
	}
	return events, entities
}

func (e *told) closes() bool {
	return e.phase == bronze.PhaseEnd || e.phase == bronze.PhaseError || e.phase == bronze.PhaseNone && e.status != ""
}

func TestEntitiesAreWhatTheirEventsTell(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		captures := drawCaptures(t)
		g := open(t, testOptions(newMemory()))
		defer g.Close()
		deliver(t, g, 1, drawDelivery(t, captures)...)
		events, entities := tell(captures)
		totals := g.Totals()
		if totals.Events != uint64(len(events)) || totals.Entities != uint64(len(entities)) {
			t.Fatalf("%+v, want %d events of %d entities", totals, len(events), len(entities))
		}
		for id, of := range entities {
			e, err := g.Entity(id)
			if err != nil || e == nil {
				t.Fatal(e, err)
			}
			checkEntity(t, e, of)
		}
	})
}

func checkEntity(t *rapid.T, e *Entity, of []*told) {
	first := func(field func(*told) string) string {
		for _, ev := range of {
			if v := field(ev); v != "" {
				return v
			}
		}
		return ""
	}
	var bytes, in, out, cached int64 = 0, -1, -1, -1
	cost := -1.0
	started, startCaptured := int64(never), int64(never)
	var closing *told
	ownEnd := int64(ageless)
	var firstPosition uint64 = math.MaxUint64
	statuses := ""
	for _, ev := range of {
		bytes += ev.bytes
		in, out = max(in, ev.inputTokens), max(out, ev.outputTokens)
		cached, cost = max(cached, ev.cachedTokens), max(cost, ev.cost)
		firstPosition = min(firstPosition, slices.Min(ev.positions))
		if ev.closes() {
			if closing == nil || outcomeOf(&ev.event) >= outcomeOf(&closing.event) {
				closing = ev
			}
			if ev.ts != never {
				ownEnd = max(ownEnd, ev.ts)
			}
			statuses += string(cmp.Or(ev.status, bronze.StatusOK)) + " "
		} else {
			started, startCaptured = min(started, ev.ts), min(startCaptured, ev.captured)
		}
	}
	byCapture := started == never && startCaptured != never
	if byCapture {
		started = startCaptured
	}
	status := "ok"
	switch {
	case strings.Contains(statuses, "cancelled"):
		status = "cancelled"
	case strings.Contains(statuses, "error"):
		status = "error"
	case statuses == "" && slices.ContainsFunc(of, func(ev *told) bool { return ev.phase != "" }):
		status = "open"
	}
	ended := int64(never)
	if closing != nil {
		if ended = closing.captured; ownEnd != ageless {
			ended = ownEnd
		}
	}
	clock := ClockOwn
	if byCapture || closing != nil && ownEnd == ageless {
		clock = ClockCapture
	}
	if started == never {
		started = ended
	}
	want := fmt.Sprint(first(func(e *told) string { return e.capability }), first(func(e *told) string { return e.role }),
		clock, cached, cost, first(func(e *told) string { return e.agent }),
		status, timeOf(started), timeOf(ended), len(of), bytes, in, out, firstPosition)
	got := fmt.Sprint(e.Capability, e.Role, e.Clock, e.CachedTokens, e.CostUSD, e.AgentID, e.Status, e.StartedAt, e.EndedAt, e.Events, e.Bytes, e.InputTokens, e.OutputTokens,
		e.FirstPosition)
	if got != want {
		t.Fatalf("entity is\n%s, its events tell\n%s", got, want)
	}
	if text := tellText(of); e.Kind == KindMessage && e.Text != text {
		t.Fatalf("text is %q, its pieces make %q", e.Text, text)
	}
}

// tellText puts the text of a message together from the least places of its events.
func tellText(of []*told) string {
	type piece struct {
		place
		*told
	}
	var pieces []piece
	for _, ev := range of {
		p := piece{place: beyond, told: ev}
		for i := range ev.streams {
			if at := (place{hashOf(ev.streams[i]), ev.positions[i], ev.parts[i]}); at.before(p.place) {
				p.place = at
			}
		}
		pieces = append(pieces, p)
	}
	slices.SortFunc(pieces, func(a, b piece) int {
		return cmp.Or(a.place.compare(b.place), cmp.Compare(encodeFragments(a.fragments), encodeFragments(b.fragments)))
	})
	text, whole := "", ""
	for _, p := range pieces {
		for _, f := range p.fragments {
			switch {
			case f.Type != bronze.FragmentText:
			case f.Whole:
				whole = f.Text
			default:
				text += f.Text
			}
		}
	}
	return cmp.Or(whole, text)
}

// calls returns what all entities of the state add to metrics and graph.
func calls(t tester, g *Gold) (all []call) {
	err := scan(g.state.db, []byte{keyOrdinal}, func(k, _ []byte) (bool, error) {
		e, err := loadEntity(g.state.db, markedID(k))
		if err != nil {
			return false, err
		}
		if c := callOf(markedID(k), e); !c.none() {
			all = append(all, c)
		}
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestMetricsAreThoseOfAllEntities(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := open(t, testOptions(newMemory()))
		defer g.Close()
		deliver(t, g, 1, drawDelivery(t, drawCaptures(t))...)
		byKey := map[string][]call{}
		for _, c := range calls(t, g) {
			k := fmt.Sprint(c.capability.name, c.provider, timeOf(c.moment.at).Truncate(BucketWidth))
			byKey[k] = append(byKey[k], c)
		}
		for m, err := range g.Metrics() {
			if err != nil {
				t.Fatal(err)
			}
			k := fmt.Sprint(m.Capability, m.Provider, m.Bucket)
			checkMetric(t, m, byKey[k])
			delete(byKey, k)
		}
		if len(byKey) > 0 {
			t.Fatalf("no metrics of %v", byKey)
		}
	})
}

func checkMetric(t *rapid.T, m *Metric, of []call) {
	var errors, bytes, in, out int64
	cost := -1.0
	workflows := map[string]bool{}
	var latencies []int64
	for _, c := range of {
		bytes += c.bytes
		in += c.inputTokens
		out += c.outputTokens
		workflows[c.workflow] = true
		if c.cost >= 0 {
			cost = max(cost, 0) + float64(c.cost)/1e9 // of quarters, which floats hold exactly
		}
		if c.failed {
			errors++
		}
		if c.latency >= 0 {
			latencies = append(latencies, c.latency)
		}
	}
	want := []int64{int64(len(of)), errors, bytes, in, out, int64(len(workflows))}
	if got := []int64{m.Calls, m.Errors, m.Bytes, m.InputTokens, m.OutputTokens, m.Workflows}; !slices.Equal(got, want) {
		t.Fatalf("%s: %v, want %v", m.Capability, got, want)
	}
	if m.CostUSD != cost {
		t.Fatalf("%s: costs %v, want %v", m.Capability, m.CostUSD, cost)
	}
	slices.Sort(latencies)
	for q, got := range map[float64]int64{0.50: m.LatencyP50US, 0.95: m.LatencyP95US, 0.99: m.LatencyP99US} {
		want := int64(-1)
		if len(latencies) > 0 {
			want = latencies[int(q*float64(len(latencies)-1))]
		}
		if math.Abs(float64(got-want)) > LatencyAccuracy*float64(want)+1 {
			t.Fatalf("%s: p%v is %d µs, want %d within %v", m.Capability, q*100, got, want, LatencyAccuracy)
		}
	}
}

func TestGraphIsThatOfAllEntities(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := open(t, testOptions(newMemory()))
		defer g.Close()
		deliver(t, g, 1, drawDelivery(t, drawCaptures(t))...)
		want := map[string]*Element{}
		count := func(from, relation, to string, at int64, failed bool) {
			k := from + " " + relation + " " + to
			if want[k] == nil {
				want[k] = &Element{FirstAt: timeOf(at), LastAt: timeOf(at)}
			}
			e := want[k]
			e.Count++
			if failed {
				e.Errors++
			}
			if e.FirstAt.After(timeOf(at)) {
				e.FirstAt = timeOf(at)
			}
			if e.LastAt.Before(timeOf(at)) {
				e.LastAt = timeOf(at)
			}
		}
		workflows := map[string][]call{}
		for _, c := range calls(t, g) {
			capability := c.capability.kind + ":" + c.capability.name
			count(capability, "", ":", c.moment.at, c.failed)
			for _, caller := range []string{"workflow:" + c.workflow, "agent:" + c.agent} {
				if caller == "agent:" {
					continue
				}
				count(caller, "", ":", c.moment.at, c.failed)
				count(caller, "calls", capability, c.moment.at, c.failed)
				if c.ended != never {
					count(capability, "answers", caller, c.ended, c.failed)
				}
			}
			workflows[c.workflow] = append(workflows[c.workflow], c)
		}
		for _, of := range workflows {
			slices.SortFunc(of, func(a, b call) int {
				return cmp.Or(cmp.Compare(a.moment.at, b.moment.at), cmp.Compare(a.moment.position, b.moment.position),
					slices.Compare(a.moment.entity[:], b.moment.entity[:]))
			})
			for i := 1; i < len(of); i++ {
				a, b := of[i-1].capability, of[i].capability
				count(a.kind+":"+a.name, "follows", b.kind+":"+b.name, of[i].moment.at, false)
			}
		}
		for e, err := range g.Graph() {
			if err != nil {
				t.Fatal(err)
			}
			k := e.SourceType + ":" + e.Source + " " + e.Relation + " " + e.TargetType + ":" + e.Target
			w := want[k]
			if w == nil || e.Count != w.Count || e.Errors != w.Errors || e.FirstAt != w.FirstAt || e.LastAt != w.LastAt {
				t.Fatalf("%s is %+v, want %+v", k, e, w)
			}
			delete(want, k)
		}
		if len(want) > 0 {
			t.Fatalf("missing from the graph: %v", want)
		}
		checkCounts(t, g)
	})
}

func checkCounts(t *rapid.T, g *Gold) {
	var want Totals
	for e, err := range g.Graph() {
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case e.Relation != "":
			want.Edges++
		case e.SourceType == NodeCapability || e.SourceType == NodeModel:
			want.Capabilities++
			fallthrough
		default:
			want.Nodes++
		}
	}
	got := g.Totals()
	if got.Nodes != want.Nodes || got.Edges != want.Edges || got.Capabilities != want.Capabilities {
		t.Fatalf("counted %+v, there are %+v", got, want)
	}
}

func TestQuantilesStayWithinTheSketchesBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		latencies := rapid.SliceOfN(rapid.Int64Range(0, 1<<40), 1, 200).Draw(t, "latencies")
		removed := rapid.SliceOfN(rapid.Int64Range(0, 1<<40), 0, 50).Draw(t, "removed")
		var s sketch
		for _, l := range append(slices.Clone(removed), latencies...) {
			s = s.add(map[int32]int64{binOf(l): 1})
		}
		for _, l := range removed {
			s = s.add(map[int32]int64{binOf(l): -1})
		}
		slices.Sort(latencies)
		for _, q := range []float64{0, 0.5, 0.95, 0.99, 1} {
			want := float64(latencies[int(q*float64(len(latencies)-1))])
			got, ok := s.quantile(q)
			if !ok || math.Abs(float64(got)-want) > LatencyAccuracy*want+0.5 {
				t.Fatalf("quantile %v is %d, want %v", q, got, want)
			}
		}
	})
}
