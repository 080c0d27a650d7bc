package model

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"strings"

	"github.com/google/uuid"

	"assay/consumers/bronze"
	"assay/kernels"
)

// The history of a workflow is what its entities amount to, in the order in which they began: the summary that a list of
// workflows shows, and the turns of its conversation. Like the metrics it is a sum over entities that are taken out as they
// were and put in as they are, so it depends on the set of events alone.
//
// A list shows the workflows that were active last first, so that order is a key of its own: a page is one stretch of keys,
// however many workflows there are.
const (
	KeyHistory = 'h' // workflow, slot[, what the slot is about] → what the slot says
	KeyRecent  = 'r' // time of the last turn, latest first, workflow → nothing
)

// Slots of a history.
const (
	SlotSummary = 's' // → summary
	SlotAgent   = 'a' // agent → number of its entities
	SlotModel   = 'm' // model → number of its calls
	SlotTurn    = 't' // turn → speaker
	SlotTitle   = 'n' // turn whose entity tells the workflow's title → nothing
)

// Turn is the place of an entity in the history of its workflow: by time; what began at one time, as the parts of one record
// did, by its place in the stream.
type Turn struct {
	At       int64
	position uint64
	part     uint32 // of the record there
	Entity   uuid.UUID
}

// Compare orders turns.
func (t Turn) Compare(u Turn) int {
	return cmp.Or(cmp.Compare(t.At, u.At), cmp.Compare(t.position, u.position), cmp.Compare(t.part, u.part), bytes.Compare(t.Entity[:], u.Entity[:]))
}

// HistoryID names the history of a workflow.
func HistoryID(namespace uuid.UUID, workflow string) uuid.UUID {
	return kernels.UUID(namespace, kernels.JoinStrings("history", workflow))
}

// HistoryKey is a key of a history, or the prefix of the keys of a slot.
func HistoryKey(history uuid.UUID, slot byte) []byte { return append(Key(KeyHistory, history), slot) }

// HistoryKeyLen is the length in bytes of what HistoryKey returns.
const HistoryKeyLen = 1 + 16 + 1

// TurnKey is the key of a turn.
func TurnKey(history uuid.UUID, slot byte, t Turn) []byte {
	k := HistoryKey(history, slot)
	k = appendTime(k, t.At)
	k = binary.BigEndian.AppendUint64(k, t.position)
	k = binary.BigEndian.AppendUint32(k, t.part)
	return append(k, t.Entity[:]...)
}

// ParseTurn reads the turn of a key.
func ParseTurn(turnKey []byte) (t Turn) {
	k := turnKey[HistoryKeyLen:]
	t.At = readTime(k)
	t.position = binary.BigEndian.Uint64(k[8:])
	t.part = binary.BigEndian.Uint32(k[16:])
	copy(t.Entity[:], k[20:])
	return t
}

// RecentKey is the key by which a history is listed, the last active first.
func RecentKey(at int64, history uuid.UUID) []byte {
	k := binary.BigEndian.AppendUint64([]byte{KeyRecent}, ^(uint64(at) ^ 1<<63))
	return append(k, history[:]...)
}

// ParseRecent reads what RecentKey wrote.
func ParseRecent(recentKey []byte) (at int64, history uuid.UUID) {
	return int64(^binary.BigEndian.Uint64(recentKey[1:]) ^ 1<<63), LastID(recentKey)
}

// HistoryCounts are the sums of a summary.
type HistoryCounts struct {
	Entities, Messages, Calls, Errors, Open                        int64
	InputTokens, OutputTokens, CachedTokens, ReasoningTokens, Cost int64 // cost in billionths of a US dollar, so that what was added can be taken out
}

func (c *HistoryCounts) all() []*int64 {
	return []*int64{&c.Entities, &c.Messages, &c.Calls, &c.Errors, &c.Open, &c.InputTokens, &c.OutputTokens, &c.CachedTokens, &c.ReasoningTokens, &c.Cost}
}

// Add adds sign times other counts.
func (c *HistoryCounts) Add(sign int64, d HistoryCounts) {
	other := d.all()
	for i, sum := range c.all() {
		*sum += sign * *other[i]
	}
}

// HistoryShare is what an entity adds to the history of its workflow: a function of its state.
type HistoryShare struct {
	Workflow     string
	Turn         Turn
	Speaker      Speaker
	Agent, model string
	titled       bool // its events tell the workflow's title
	Counts       HistoryCounts
}

// Speaker tells the turns apart that a list of workflows looks for.
type Speaker byte

// The speakers.
const (
	SpeakerOther    Speaker = 'o'
	SpeakerUser     Speaker = 'u'
	SpeakerNotifier Speaker = 'n' // a session, which has no turn in a conversation
)

// HistoryShareOf returns the share of an entity, the zero share of one without events.
func HistoryShareOf(id uuid.UUID, e *EntityState) HistoryShare {
	if e.Events == 0 {
		return HistoryShare{}
	}
	c := CallOf(id, e)
	s := HistoryShare{
		Workflow: e.Workflow, Turn: turnOf(id, e), Speaker: speakerOf(e), Agent: e.agent.Value,
		titled: e.Title.Value != "",
		Counts: HistoryCounts{
			Entities: 1, InputTokens: max(e.inputTokens, 0), OutputTokens: max(e.outputTokens, 0),
			CachedTokens: max(e.cachedTokens, 0), ReasoningTokens: max(e.reasoningTokens, 0), Cost: max(e.nanodollars(), 0),
		},
	}
	if e.Hidden { // the answer itself counts
		s.Counts = HistoryCounts{Entities: 1}
	}
	if e.ShownKind() == KindMessage {
		s.Counts.Messages = 1
	}
	if !c.None() && !e.countedHere {
		s.Counts.Calls = 1
		if c.Capability.Kind == NodeModel {
			s.model = c.Capability.Name
		}
		if e.status() == statusOpen {
			s.Counts.Open = 1
		}
	}
	if e.failed() {
		s.Counts.Errors = 1
	}
	return s
}

// turnOf is the turn of an entity. The answer of an exchange comes after the messages of its request, which are told by the clock of
// capture, whoever says when the exchange began.
func turnOf(id uuid.UUID, e *EntityState) Turn {
	if e.stream == e.intent+"/client" && e.startCaptured != Never {
		return Turn{e.startCaptured, e.firstPosition, math.MaxUint32, id}
	}
	return Turn{e.started(), e.firstPosition, e.firstPart, id}
}

func speakerOf(e *EntityState) Speaker {
	switch kind := e.ShownKind(); {
	case kind == KindSession, kind == KindExchange, kind == KindEcho:
		return SpeakerNotifier
	case e.role.Value == bronze.RoleUser:
		return SpeakerUser
	}
	return SpeakerOther
}

// HistoryDeltas gathers what a group of messages changes in the histories, by workflow.
type HistoryDeltas map[string]*HistoryDelta

// HistoryDelta is what is added to one history; any of it may be negative.
type HistoryDelta struct {
	Counts         HistoryCounts
	Agents, Models map[string]int64
	Removed, Added map[Turn]Speaker
	Titles         map[Turn]int64 // turns that tell the title, +1 or -1
}

// Replace takes one share of an entity out and puts another in; either may be none.
func (h HistoryDeltas) Replace(before, now HistoryShare) {
	if before != now {
		h.add(before, -1)
		h.add(now, +1)
	}
}

func (h HistoryDeltas) add(s HistoryShare, sign int64) {
	if s.Counts.Entities == 0 {
		return
	}
	c := h[s.Workflow]
	if c == nil {
		c = &HistoryDelta{Agents: map[string]int64{}, Models: map[string]int64{}, Removed: map[Turn]Speaker{}, Added: map[Turn]Speaker{}, Titles: map[Turn]int64{}}
		h[strings.Clone(s.Workflow)] = c
	}
	c.Counts.Add(sign, s.Counts)
	if s.Agent != "" {
		c.Agents[s.Agent] += sign
	}
	if s.titled {
		c.Titles[s.Turn] += sign
	}
	if s.model != "" {
		c.Models[s.model] += sign
	}
	if sign > 0 {
		c.Added[s.Turn] = s.Speaker
	} else {
		c.Removed[s.Turn] = s.Speaker
	}
}

// HistorySummary is what is stored of a history besides its turns.
type HistorySummary struct {
	Workflow string
	HistoryCounts
	Last Turn
}

// Encode writes the record.
func (s *HistorySummary) Encode() []byte {
	w := make(Encoder, 0, 96)
	w.string(s.Workflow)
	for _, n := range s.HistoryCounts.all() {
		w.int(*n)
	}
	w.int(s.Last.At)
	w.Uint(s.Last.position)
	w.Uint(uint64(s.Last.part))
	w.ID(s.Last.Entity)
	return w
}

// DecodeSummary reads what Encode wrote.
func DecodeSummary(record []byte) (*HistorySummary, error) {
	d := Decoder{Rest: record}
	s := &HistorySummary{Workflow: d.string()}
	for _, n := range s.HistoryCounts.all() {
		*n = d.Int()
	}
	s.Last = Turn{d.Int(), d.Uint(), uint32(d.Uint()), d.ID()}
	return s, d.End()
}
