package gold

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"math"
	"strings"

	"github.com/cockroachdb/pebble/v2"
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
	keyHistory = 'h' // workflow, slot[, what the slot is about] → what the slot says
	keyRecent  = 'r' // time of the last turn, latest first, workflow → nothing
)

// Slots of a history.
const (
	slotSummary = 's' // → summary
	slotAgent   = 'a' // agent → number of its entities
	slotModel   = 'm' // model → number of its calls
	slotTurn    = 't' // turn → speaker
	slotTitle   = 'n' // turn whose entity tells the workflow's title → nothing
)

// turn is the place of an entity in the history of its workflow: by time; what began at one time, as the parts of one record
// did, by its place in the stream.
type turn struct {
	at       int64
	position uint64
	part     uint32 // of the record there
	entity   uuid.UUID
}

func (t turn) compare(u turn) int {
	return cmp.Or(cmp.Compare(t.at, u.at), cmp.Compare(t.position, u.position), cmp.Compare(t.part, u.part), bytes.Compare(t.entity[:], u.entity[:]))
}

// historyID names the history of a workflow.
func historyID(namespace uuid.UUID, workflow string) uuid.UUID {
	return kernels.UUID(namespace, kernels.JoinStrings("history", workflow))
}

func historyKey(history uuid.UUID, slot byte) []byte { return append(key(keyHistory, history), slot) }

const historyKeyLen = 1 + 16 + 1

func turnKey(history uuid.UUID, slot byte, t turn) []byte {
	k := historyKey(history, slot)
	k = binary.BigEndian.AppendUint64(k, uint64(t.at)^1<<63) // so that times before 1970 sort first
	k = binary.BigEndian.AppendUint64(k, t.position)
	k = binary.BigEndian.AppendUint32(k, t.part)
	return append(k, t.entity[:]...)
}

func parseTurn(turnKey []byte) (t turn) {
	k := turnKey[historyKeyLen:]
	t.at = int64(binary.BigEndian.Uint64(k) ^ 1<<63)
	t.position = binary.BigEndian.Uint64(k[8:])
	t.part = binary.BigEndian.Uint32(k[16:])
	copy(t.entity[:], k[20:])
	return t
}

func recentKey(at int64, history uuid.UUID) []byte {
	k := binary.BigEndian.AppendUint64([]byte{keyRecent}, ^(uint64(at) ^ 1<<63))
	return append(k, history[:]...)
}

func parseRecent(recentKey []byte) (at int64, history uuid.UUID) {
	return int64(^binary.BigEndian.Uint64(recentKey[1:]) ^ 1<<63), markedID(recentKey)
}

// counts are the sums of a summary.
type counts struct {
	entities, messages, calls, errors, open                        int64
	inputTokens, outputTokens, cachedTokens, reasoningTokens, cost int64 // cost in billionths of a US dollar, so that what was added can be taken out
}

func (c *counts) all() []*int64 {
	return []*int64{&c.entities, &c.messages, &c.calls, &c.errors, &c.open, &c.inputTokens, &c.outputTokens, &c.cachedTokens, &c.reasoningTokens, &c.cost}
}

func (c *counts) add(sign int64, d counts) {
	other := d.all()
	for i, sum := range c.all() {
		*sum += sign * *other[i]
	}
}

// share is what an entity adds to the history of its workflow: a function of its state.
type share struct {
	workflow     string
	turn         turn
	speaker      speaker
	agent, model string
	titled       bool // its events tell the workflow's title
	counts       counts
}

// speaker tells the turns apart that a list of workflows looks for.
type speaker byte

const (
	other    speaker = 'o'
	user     speaker = 'u'
	notifier speaker = 'n' // a session, which has no turn in a conversation
)

// shareOf returns the share of an entity, the zero share of one without events.
func shareOf(id uuid.UUID, e *entity) share {
	if e.events == 0 {
		return share{}
	}
	c := callOf(id, e)
	s := share{
		workflow: e.workflow, turn: turnOf(id, e), speaker: speakerOf(e), agent: e.agent.value,
		titled: e.title.value != "",
		counts: counts{
			entities: 1, inputTokens: max(e.inputTokens, 0), outputTokens: max(e.outputTokens, 0),
			cachedTokens: max(e.cachedTokens, 0), reasoningTokens: max(e.reasoningTokens, 0), cost: max(e.nanodollars(), 0),
		},
	}
	if e.hidden { // the answer itself counts
		s.counts = counts{entities: 1}
	}
	if e.shown() == KindMessage {
		s.counts.messages = 1
	}
	if !c.none() {
		s.counts.calls = 1
		if c.capability.kind == NodeModel {
			s.model = c.capability.name
		}
		if e.status() == statusOpen {
			s.counts.open = 1
		}
	}
	if e.failed() {
		s.counts.errors = 1
	}
	return s
}

// turnOf is the turn of an entity. The answer of an exchange comes after the messages of its request, which are told by the clock of
// capture, whoever says when the exchange began.
func turnOf(id uuid.UUID, e *entity) turn {
	if e.stream == e.intent+"/client" && e.startCaptured != never {
		return turn{e.startCaptured, e.firstPosition, math.MaxUint32, id}
	}
	return turn{e.started(), e.firstPosition, e.firstPart, id}
}

func speakerOf(e *entity) speaker {
	switch kind := e.shown(); {
	case kind == KindSession, kind == KindExchange, kind == KindEcho:
		return notifier
	case e.role.value == bronze.RoleUser:
		return user
	}
	return other
}

// histories gathers what a group of messages changes in the histories, by workflow.
type histories map[string]*chapter

// chapter is what is added to one history; any of it may be negative.
type chapter struct {
	counts         counts
	agents, models map[string]int64
	removed, added map[turn]speaker
	titles         map[turn]int64 // turns that tell the title, +1 or -1
}

// replace takes one share of an entity out and puts another in; either may be none.
func (h histories) replace(before, now share) {
	if before != now {
		h.add(before, -1)
		h.add(now, +1)
	}
}

func (h histories) add(s share, sign int64) {
	if s.counts.entities == 0 {
		return
	}
	c := h[s.workflow]
	if c == nil {
		c = &chapter{agents: map[string]int64{}, models: map[string]int64{}, removed: map[turn]speaker{}, added: map[turn]speaker{}, titles: map[turn]int64{}}
		h[strings.Clone(s.workflow)] = c
	}
	c.counts.add(sign, s.counts)
	if s.agent != "" {
		c.agents[s.agent] += sign
	}
	if s.titled {
		c.titles[s.turn] += sign
	}
	if s.model != "" {
		c.models[s.model] += sign
	}
	if sign > 0 {
		c.added[s.turn] = s.speaker
	} else {
		c.removed[s.turn] = s.speaker
	}
}

// summary is what is stored of a history besides its turns.
type summary struct {
	workflow string
	counts
	last turn
}

func (s *summary) encode() []byte {
	w := make(encoder, 0, 96)
	w.string(s.workflow)
	for _, n := range s.counts.all() {
		w.int(*n)
	}
	w.int(s.last.at)
	w.uint(s.last.position)
	w.uint(uint64(s.last.part))
	w.id(s.last.entity)
	return w
}

func decodeSummary(record []byte) (*summary, error) {
	d := decoder{rest: record}
	s := &summary{workflow: d.string()}
	for _, n := range s.counts.all() {
		*n = d.int()
	}
	s.last = turn{d.int(), d.uint(), uint32(d.uint()), d.id()}
	return s, d.end()
}

// writeHistories adds the group's chapters to the histories.
func (f *folding) writeHistories() error {
	for workflow, c := range f.histories {
		if err := f.writeChapter(workflow, c); err != nil {
			return err
		}
	}
	return nil
}

func (f *folding) writeChapter(workflow string, c *chapter) error {
	id := historyID(f.g.opts.Namespace, workflow)
	k := historyKey(id, slotSummary)
	was, err := load(f.seeker, k, decodeSummary)
	if err != nil {
		return err
	}
	now := summary{workflow: workflow}
	if was != nil {
		now = *was
	}
	now.counts.add(+1, c.counts)
	err = errors.Join(f.writeTurns(id, c), f.writeNames(id, slotAgent, c.agents), f.writeNames(id, slotModel, c.models))
	if err != nil {
		return err
	}
	if now.entities > 0 {
		if now.last, err = f.lastTurn(id, was, c); err != nil {
			return err
		}
	}
	moved := was == nil || now.entities == 0 || now.last.at != was.last.at
	if was != nil && moved {
		err = f.delete(recentKey(was.last.at, id))
	}
	if now.entities == 0 {
		return errors.Join(err, f.delete(k))
	}
	if moved {
		err = errors.Join(err, f.set(recentKey(now.last.at, id), nil))
	}
	return errors.Join(err, f.set(k, now.encode()))
}

func (f *folding) writeTurns(history uuid.UUID, c *chapter) error {
	for t := range c.removed {
		if _, stays := c.added[t]; stays {
			continue
		}
		if err := f.delete(turnKey(history, slotTurn, t)); err != nil {
			return err
		}
	}
	for t, by := range c.added {
		if c.removed[t] == by {
			continue
		}
		if err := f.set(turnKey(history, slotTurn, t), []byte{byte(by)}); err != nil {
			return err
		}
	}
	return f.writeTitles(history, c)
}

func (f *folding) writeTitles(history uuid.UUID, c *chapter) (err error) {
	for t, n := range c.titles {
		switch {
		case n > 0:
			err = errors.Join(err, f.set(turnKey(history, slotTitle, t), nil))
		case n < 0:
			err = errors.Join(err, f.delete(turnKey(history, slotTitle, t)))
		}
	}
	return err
}

// writeNames adds to the counts of names that a history has.
func (f *folding) writeNames(history uuid.UUID, slot byte, names map[string]int64) error {
	for name, n := range names {
		if _, err := f.countWorkflow(append(historyKey(history, slot), name...), n); err != nil {
			return err
		}
	}
	return nil
}

// lastTurn returns the last turn of a history once the chapter is written. Only where the last one goes does it have to be
// looked for.
func (f *folding) lastTurn(history uuid.UUID, was *summary, c *chapter) (last turn, err error) {
	known := was != nil
	if known {
		last = was.last
		_, gone := c.removed[last]
		if _, back := c.added[last]; gone && !back {
			last, known, err = f.lastKept(history, c)
		}
	}
	for t := range c.added {
		if !known || last.compare(t) < 0 {
			last, known = t, true
		}
	}
	return last, err
}

// lastKept returns the last stored turn that the chapter leaves.
func (f *folding) lastKept(history uuid.UUID, c *chapter) (last turn, found bool, err error) {
	prefix := historyKey(history, slotTurn)
	it, err := f.g.state.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return last, false, stateError("scan", err)
	}
	for ok := it.Last(); ok && !found; ok = it.Prev() {
		last = parseTurn(it.Key())
		_, gone := c.removed[last]
		found = !gone
	}
	return last, found, stateError("scan", errors.Join(it.Error(), it.Close()))
}
