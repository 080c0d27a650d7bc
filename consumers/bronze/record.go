package bronze

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"strconv"

	"github.com/valyala/fastjson"

	"assay/internal/capture/formats"
)

// record fills in the events that one record holds: the first is the record's own, the others are parts of it.
type record struct {
	d     *decoder
	first *Event
	id    string // own id of the record, "" if it has none
	begun int    // events so far
}

// all returns the events so far. They must not be kept while more are begun.
func (r *record) all() (events []*Event) {
	if r.begun > 0 {
		events = append(events, r.first)
	}
	for i := range r.d.parts {
		events = append(events, &r.d.parts[i])
	}
	return events
}

// version gives e, which is all filled in, an own id that tells what it is about and what it says of it: for sources that
// write the same thing again as it grows.
func (r *record) version(e *Event, about string) {
	if about == "" {
		return
	}
	told := make([]byte, 0, 512)
	for _, s := range [...]string{e.Kind, e.Role, e.IntentID, string(e.Status), e.Title, e.Payload, e.Error, e.FinishReason} {
		told = append(appendLength(told, s), s...)
	}
	for _, f := range e.Fragments {
		told = append(append(append(appendLength(told, f.Text), f.Part...), '|'), f.Text...)
	}
	told = strconv.AppendInt(append(told, '|'), e.InputTokens, 10)
	told = strconv.AppendInt(append(told, '|'), e.OutputTokens, 10)
	var digits [2 * sha1.Size]byte
	digest := sha1.Sum(told)
	hex.Encode(digits[:], digest[:])
	e.EventID = e.WorkflowID + "/" + valid(about) + "/" + string(digits[:])
}

func appendLength(dst []byte, s string) []byte {
	return append(strconv.AppendInt(dst, int64(len(s)), 10), '|')
}

func (d *decoder) record(e *Event, id string) *record { return &record{d: d, first: e, id: id} }

// event returns the next event to be filled in. Its own id is the record's and its number in it.
func (r *record) event(kind string) *Event {
	id := r.id
	if id != "" && r.begun > 0 {
		id += "/" + strconv.Itoa(r.begun)
	}
	return r.eventOf(id, kind)
}

// eventOf is event for one whose own id is not the record's.
func (r *record) eventOf(id, kind string) *Event {
	e := r.first
	if r.begun > 0 {
		e = r.d.part(r.first)
	}
	r.begun++
	e.EventID, e.Kind, e.Payload = valid(id), kind, ""
	return e
}

// message begins a whole message of a role; the texts of its parts follow. Without an intent it is one by itself.
func (r *record) message(role, intent string) *Event {
	e := r.event(KindMessage)
	e.Role, e.IntentID = role, cmp.Or(intent, e.EventID)
	e.Phase, e.Status = PhaseEnd, StatusOK
	return e
}

// say adds a whole part to a message. The part's name tells it apart from others of the same message.
func (e *Event) say(typ FragmentType, part, text string) {
	if text == "" {
		return
	}
	e.Fragments = append(e.Fragments, Fragment{Part: part, Type: typ, Text: text, Whole: true})
	if typ == FragmentText {
		if e.Text != "" {
			e.Text += "\n\n"
		}
		e.Text += text
	}
}

// call begins a tool call.
func (r *record) call(id, tool, arguments string) *Event {
	e := r.event(KindToolCall)
	e.IntentID, e.Capability, e.Phase = cmp.Or(id, e.EventID), tool, PhaseStart
	e.Payload, e.Text = jsonOrQuoted(arguments), arguments
	if e != r.first {
		e.ParentID = r.first.EventID
	}
	return e
}

// answer ends a tool call.
func (r *record) answer(id string) *Event {
	e := r.event(KindToolResult)
	e.IntentID, e.Phase, e.Status = cmp.Or(id, e.EventID), PhaseEnd, StatusOK
	return e
}

// broke makes e the end of something that failed.
func (e *Event) broke(message string) {
	e.Status, e.Error = StatusError, cmp.Or(message, "unspecified error")
}

// noteIfNothing makes a note of a record of which nothing else was made.
func (r *record) noteIfNothing() {
	if r.begun == 0 {
		r.note()
	}
}

// note makes the record one of bookkeeping: it says something of its session, and nothing of a message or a call.
func (r *record) note() *Event {
	payload := ""
	if r.begun == 0 {
		payload = string(r.d.raw)
	}
	e := r.event(KindNote)
	e.Payload, e.IntentID = payload, cmp.Or(e.WorkflowID, e.StreamID)
	return e
}

// jsonOrQuoted returns text that is JSON as it is, other text as a JSON string, and {} for none.
func jsonOrQuoted(text string) string {
	switch {
	case text == "":
		return "{}"
	case formats.ValidJSON([]byte(text)):
		return text
	}
	return string(appendQuoted(nil, []byte(text)))
}

// blocksText joins the texts of content: a string, or a list of strings and of objects with a text.
func blocksText(content *fastjson.Value) string {
	if content == nil {
		return ""
	}
	if s := content.GetStringBytes(); s != nil {
		return string(s)
	}
	if is(content, fastjson.TypeObject) {
		return text(content, "text", "content", "output")
	}
	var joined []byte
	for _, block := range content.GetArray() {
		s := block.GetStringBytes()
		if s == nil {
			s = block.GetStringBytes("text")
		}
		if len(s) == 0 {
			continue
		}
		if len(joined) > 0 {
			joined = append(joined, '\n')
		}
		joined = append(joined, s...)
	}
	return string(joined)
}

// tokens takes token counts that a source tells, each with the meaning that Event gives it. -1 is none.
func (e *Event) tokens(input, output, cached, reasoning int64) {
	e.InputTokens, e.OutputTokens = max(e.InputTokens, input), max(e.OutputTokens, output)
	e.CachedTokens, e.ReasoningTokens = max(e.CachedTokens, cached), max(e.ReasoningTokens, reasoning)
}

// written takes how much of the input a source says was written to a cache, and how much of that to be kept for an hour. -1 is none.
func (e *Event) written(tokens, hour int64) {
	e.WrittenTokens, e.HourTokens = max(e.WrittenTokens, tokens), max(e.HourTokens, hour)
}
