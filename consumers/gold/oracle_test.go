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
	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
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
		e := events[c.ID]
		if e == nil || model.RankDisposition(c.Disposition) > model.RankDisposition(e.Disposition) {
			e = &told{capture: c}
			events[c.ID] = e
		}
		if c.Disposition == e.Disposition {
			e.Captured = min(e.Captured, c.Captured)
			e.streams, e.positions = append(e.streams, c.Stream), append(e.positions, c.Position)
			e.parts = append(e.parts, c.Part)
		}
	}
	for _, e := range events {
		if e.Disposition == bronze.Kept {
			entities[e.Entity] = append(entities[e.Entity], e)
		}
	}
	for _, of := range entities {
		slices.SortFunc(of, func(a, b *told) int { return a.Stamp().Compare(b.Stamp()) })
	}
	return events, entities
}

func (e *told) closes() bool {
	return e.Phase == bronze.PhaseEnd || e.Phase == bronze.PhaseError || e.Phase == bronze.PhaseNone && e.Status != ""
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
	started, startCaptured := int64(model.Never), int64(model.Never)
	var closing *told
	ownEnd := int64(model.Ageless)
	var firstPosition uint64 = math.MaxUint64
	statuses := ""
	for _, ev := range of {
		bytes += ev.Bytes
		in, out = max(in, ev.InputTokens), max(out, ev.OutputTokens)
		cached, cost = max(cached, ev.CachedTokens), max(cost, ev.Cost)
		firstPosition = min(firstPosition, slices.Min(ev.positions))
		if ev.closes() {
			if closing == nil || model.OutcomeOf(&ev.Event) >= model.OutcomeOf(&closing.Event) {
				closing = ev
			}
			if ev.TS != model.Never {
				ownEnd = max(ownEnd, ev.TS)
			}
			statuses += string(cmp.Or(ev.Status, bronze.StatusOK)) + " "
		} else {
			started, startCaptured = min(started, ev.TS), min(startCaptured, ev.Captured)
		}
	}
	byCapture := started == model.Never && startCaptured != model.Never
	if byCapture {
		started = startCaptured
	}
	status := "ok"
	switch {
	case strings.Contains(statuses, "cancelled"):
		status = "cancelled"
	case strings.Contains(statuses, "error"):
		status = "error"
	case statuses == "" && slices.ContainsFunc(of, func(ev *told) bool { return ev.Phase != "" }):
		status = "open"
	}
	ended := int64(model.Never)
	if closing != nil {
		if ended = closing.Captured; ownEnd != model.Ageless {
			ended = ownEnd
		}
	}
	clock := model.ClockOwn
	if byCapture || closing != nil && ownEnd == model.Ageless {
		clock = model.ClockCapture
	}
	if started == model.Never {
		started = ended
	}
	want := fmt.Sprint(first(func(e *told) string { return e.Capability }), first(func(e *told) string { return e.Role }),
		clock, cached, cost, first(func(e *told) string { return e.Agent }),
		status, model.TimeOf(started), model.TimeOf(ended), len(of), bytes, in, out, firstPosition)
	got := fmt.Sprint(e.Capability, e.Role, e.Clock, e.CachedTokens, e.CostUSD, e.AgentID, e.Status, e.StartedAt, e.EndedAt, e.Events, e.Bytes, e.InputTokens, e.OutputTokens,
		e.FirstPosition)
	if got != want {
		t.Fatalf("entity is\n%s, its events tell\n%s", got, want)
	}
	if text := tellText(of); e.Kind == model.KindMessage && e.Text != text {
		t.Fatalf("text is %q, its pieces make %q", e.Text, text)
	}
}

// tellText puts the text of a message together from the least places of its events.
func tellText(of []*told) string {
	type piece struct {
		model.Offset
		*told
	}
	var pieces []piece
	for _, ev := range of {
		p := piece{Offset: model.BeyondAll, told: ev}
		for i := range ev.streams {
			if at := (model.Offset{Stream: model.HashOf(ev.streams[i]), Position: ev.positions[i], Part: ev.parts[i]}); at.Before(p.Offset) {
				p.Offset = at
			}
		}
		pieces = append(pieces, p)
	}
	slices.SortFunc(pieces, func(a, b piece) int {
		return cmp.Or(a.Offset.Compare(b.Offset), cmp.Compare(encodeFragments(a.fragments), encodeFragments(b.fragments)))
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
func calls(t tester, g *Gold) (all []model.Call) {
	err := state.Scan(g.db, []byte{model.KeyOrdinal}, func(k, _ []byte) (bool, error) {
		e, err := state.LoadEntityState(g.db, model.LastID(k))
		if err != nil {
			return false, err
		}
		if c := model.CallOf(model.LastID(k), e); !c.None() {
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
		byKey := map[string][]model.Call{}
		for _, c := range calls(t, g) {
			k := fmt.Sprint(c.Capability.Name, c.Provider, model.TimeOf(c.Start.At).Truncate(model.BucketWidth))
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

func checkMetric(t *rapid.T, m *Metric, of []model.Call) {
	var errors, bytes, in, out int64
	cost := -1.0
	workflows := map[string]bool{}
	var latencies []int64
	for _, c := range of {
		bytes += c.Bytes
		in += c.InputTokens
		out += c.OutputTokens
		workflows[c.Workflow] = true
		if c.Cost >= 0 {
			cost = max(cost, 0) + float64(c.Cost)/1e9 // of quarters, which floats hold exactly
		}
		if c.Failed {
			errors++
		}
		if c.Latency >= 0 {
			latencies = append(latencies, c.Latency)
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
				want[k] = &Element{FirstAt: model.TimeOf(at), LastAt: model.TimeOf(at)}
			}
			e := want[k]
			e.Count++
			if failed {
				e.Errors++
			}
			if e.FirstAt.After(model.TimeOf(at)) {
				e.FirstAt = model.TimeOf(at)
			}
			if e.LastAt.Before(model.TimeOf(at)) {
				e.LastAt = model.TimeOf(at)
			}
		}
		workflows := map[string][]model.Call{}
		for _, c := range calls(t, g) {
			capability := c.Capability.Kind + ":" + c.Capability.Name
			count(capability, "", ":", c.Start.At, c.Failed)
			for _, caller := range []string{"workflow:" + c.Workflow, "agent:" + c.Agent} {
				if caller == "agent:" {
					continue
				}
				count(caller, "", ":", c.Start.At, c.Failed)
				count(caller, "calls", capability, c.Start.At, c.Failed)
				if c.Ended != model.Never {
					count(capability, "answers", caller, c.Ended, c.Failed)
				}
			}
			workflows[c.Workflow] = append(workflows[c.Workflow], c)
		}
		for _, of := range workflows {
			slices.SortFunc(of, func(a, b model.Call) int {
				return cmp.Or(cmp.Compare(a.Start.At, b.Start.At), cmp.Compare(a.Start.Position, b.Start.Position),
					slices.Compare(a.Start.Entity[:], b.Start.Entity[:]))
			})
			for i := 1; i < len(of); i++ {
				a, b := of[i-1].Capability, of[i].Capability
				count(a.Kind+":"+a.Name, "follows", b.Kind+":"+b.Name, of[i].Start.At, false)
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
		case e.SourceType == model.NodeCapability || e.SourceType == model.NodeModel:
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
