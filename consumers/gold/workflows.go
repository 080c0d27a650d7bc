package gold

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
)

// Workflow is the summary of a workflow.
type Workflow struct {
	ID                                   string
	Title                                string // told by an event, else the beginning of what was said first
	Agents, Models                       []string
	FirstAt, LastAt                      time.Time // when its first and its last entity began
	Entities, Messages, Calls, Errors    int64
	OpenCalls, InputTokens, OutputTokens int64
	CachedTokens, ReasoningTokens        int64   // of the input, of the output
	CostUSD                              float64 // of what has a price
	Cursor                               string  // of the page of a list that begins after it
}

// Limits of what is read of histories.
const (
	MaxTurns     = 1000   // of one page
	maxNames     = 16     // agents and models of one workflow
	titleTurns   = 64     // from the beginning, among which that of a user is looked for
	titleRunes   = 120    //
	maxScanned   = 10_000 // workflows looked at for one page
	maxWorkflows = 1000   // of one page
)

// Workflows returns a page of the workflows that accept takes, the last active first, from after a cursor on ("" for the
// first page) and back to a time, and the cursor of the next page, "" if there is none. A page may have fewer than limit
// workflows and still not be the last, because few of many are taken. Errors wrap ErrCursor or ErrState.
func (g *Gold) Workflows(
	ctx context.Context, cursor string, since time.Time, limit int, accept func(*Workflow) bool,
) (page []*Workflow, next string, err error) {
	last, err := parseCursor(cursor, model.KeyRecent)
	if err != nil {
		return nil, "", err
	}
	snapshot := g.db.NewSnapshot()
	defer snapshot.Close()
	limit, scanned := min(limit, maxWorkflows), 0
	err = state.ScanAfter(snapshot, []byte{model.KeyRecent}, last, func(k, _ []byte) (bool, error) {
		if len(page) == limit || scanned == maxScanned || ctx.Err() != nil {
			next = formatCursor(last)
			return false, context.Cause(ctx)
		}
		at, id := model.ParseRecent(k)
		if !since.IsZero() && at < since.UnixMicro() {
			return false, nil
		}
		w, err := loadWorkflow(snapshot, id)
		if err != nil {
			return false, err
		}
		if last, scanned = bytes.Clone(k), scanned+1; w == nil {
			return true, nil
		}
		if w.Cursor = formatCursor(last); accept(w) {
			page = append(page, w)
		}
		return true, nil
	})
	return page, next, err
}

// Workflow returns the summary of a workflow, nil if nothing is known of it.
func (g *Gold) Workflow(workflow string) (*Workflow, error) {
	snapshot := g.db.NewSnapshot()
	defer snapshot.Close()
	return loadWorkflow(snapshot, model.HistoryID(g.opts.Namespace, workflow))
}

// WorkflowNames returns the names of workflows, in their order, up to limit.
func (g *Gold) WorkflowNames(limit int) (names []string, err error) {
	err = state.Scan(g.db, []byte{model.KeyTraces}, func(k, _ []byte) (bool, error) {
		names = append(names, string(k[1:]))
		return len(names) < limit, nil
	})
	return names, err
}

func loadWorkflow(from pebble.Reader, history uuid.UUID) (*Workflow, error) {
	s, err := state.Load(from, model.HistoryKey(history, model.SlotSummary), model.DecodeSummary)
	if err != nil || s == nil {
		return nil, err
	}
	w := &Workflow{
		ID: s.Workflow, LastAt: model.TimeOf(s.Last.At), Entities: s.Entities, Messages: s.Messages, Calls: s.Calls,
		Errors: s.Errors, OpenCalls: s.Open, InputTokens: s.InputTokens, OutputTokens: s.OutputTokens,
		CachedTokens: s.CachedTokens, ReasoningTokens: s.ReasoningTokens, CostUSD: float64(s.Cost) / 1e9,
	}
	if w.Agents, err = loadNames(from, history, model.SlotAgent); err != nil {
		return nil, err
	}
	if w.Models, err = loadNames(from, history, model.SlotModel); err != nil {
		return nil, err
	}
	return w, w.entitle(from, history)
}

func loadNames(from pebble.Reader, history uuid.UUID, slot byte) (names []string, err error) {
	err = state.Scan(from, model.HistoryKey(history, slot), func(k, _ []byte) (bool, error) {
		names = append(names, string(k[model.HistoryKeyLen:]))
		return len(names) < maxNames, nil
	})
	return names, err
}

// entitle finds the workflow's first turn and its title: the last that an event told, else the beginning of what a user said first or, without a user, of what
// was said first.
func (w *Workflow) entitle(from pebble.Reader, history uuid.UUID) error {
	var first, said uuid.UUID
	seen := 0
	err := state.Scan(from, model.HistoryKey(history, model.SlotTurn), func(k, by []byte) (bool, error) {
		t := model.ParseTurn(k)
		if seen++; seen == 1 {
			w.FirstAt = model.TimeOf(t.At)
		}
		switch model.Speaker(by[0]) {
		case model.SpeakerUser:
			said = t.Entity
		case model.SpeakerOther:
			if first == uuid.Nil {
				first = t.Entity
			}
		}
		return said == uuid.Nil && seen < titleTurns, nil
	})
	if told, lookErr := lastTitle(from, history); told != "" || lookErr != nil {
		w.Title = headline(told)
		return errors.Join(err, lookErr)
	}
	if said == uuid.Nil {
		said = first
	}
	if err != nil || said == uuid.Nil {
		return err
	}
	e, err := state.LoadRecord(from, said)
	if err == nil && e != nil {
		w.Title = headline(e.Content.Text())
	}
	return err
}

// lastTitle is the title that an event told last, "" if none did.
func lastTitle(from pebble.Reader, history uuid.UUID) (string, error) {
	prefix := model.HistoryKey(history, model.SlotTitle)
	it, err := from.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: model.PrefixEnd(prefix)})
	if err != nil {
		return "", state.Wrap("scan", err)
	}
	defer it.Close()
	if !it.Last() {
		return "", state.Wrap("scan", it.Error())
	}
	e, err := state.LoadEntityState(from, model.ParseTurn(it.Key()).Entity)
	if err != nil || e == nil {
		return "", err
	}
	return e.Title.Value, nil
}

// headline is the beginning of a text on one line.
func headline(text string) string {
	words := strings.Join(strings.Fields(model.Cut(text, 8*titleRunes)), " ")
	if runes := []rune(words); len(runes) > titleRunes {
		return string(runes[:titleRunes-1]) + "…"
	}
	return words
}

// Turns asks for a stretch of a workflow's history.
type Turns struct {
	Cursor   string // of the page before; "": from the beginning
	Limit    int    // turns, MaxTurns at most
	MaxBytes int    // of texts, after which a page ends
	Backward bool   // from the end
}

// Conversation returns a stretch of a workflow's history, each entity in its current state, and the cursor of the next page,
// "" if there is none. Sessions, which are no turns, are passed over. Errors wrap ErrCursor or ErrState.
func (g *Gold) Conversation(ctx context.Context, workflow string, asked Turns) (page []*Entity, next string, err error) {
	prefix := model.HistoryKey(model.HistoryID(g.opts.Namespace, workflow), model.SlotTurn)
	last, err := parseCursor(asked.Cursor, model.KeyHistory)
	if err != nil {
		return nil, "", err
	}
	snapshot := g.db.NewSnapshot()
	defer snapshot.Close()
	it, err := snapshot.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: model.PrefixEnd(prefix)})
	if err != nil {
		return nil, "", state.Wrap("scan", err)
	}
	defer it.Close()
	size, limit := 0, min(asked.Limit, MaxTurns)
	for ok := begin(it, last, asked.Backward); ok; ok = proceed(it, asked.Backward) {
		if ctx.Err() != nil {
			return nil, "", context.Cause(ctx)
		}
		if len(page) == limit || size >= asked.MaxBytes {
			next = formatCursor(last)
			break
		}
		by, err := it.ValueAndErr()
		if err != nil {
			return nil, "", state.Wrap("scan", err)
		}
		last = bytes.Clone(it.Key())
		if model.Speaker(by[0]) == model.SpeakerNotifier {
			continue
		}
		e, err := state.LoadEntity(snapshot, model.ParseTurn(last).Entity)
		if err != nil {
			return nil, "", err
		}
		if e != nil {
			page, size = append(page, e), size+len(e.Text)+len(e.Request)+len(e.Result)+len(e.Reasoning)
		}
	}
	return page, next, state.Wrap("scan", it.Error())
}

// begin moves to the first key after the last one seen, or before it.
func begin(it *pebble.Iterator, last []byte, backward bool) bool {
	switch {
	case last == nil && backward:
		return it.Last()
	case last == nil:
		return it.First()
	case backward:
		return it.SeekLT(last)
	default:
		return it.SeekGE(append(bytes.Clone(last), 0))
	}
}

func proceed(it *pebble.Iterator, backward bool) bool {
	if backward {
		return it.Prev()
	}
	return it.Next()
}

// formatCursor makes a cursor of the last key of a page.
func formatCursor(key []byte) string { return base64.RawURLEncoding.EncodeToString(key) }

// CompareCursors tells which of two cursors of a list of workflows stands before the other; those of different partitions can be
// compared.
func CompareCursors(a, b string) int {
	x, _ := base64.RawURLEncoding.DecodeString(a) // this program wrote them
	y, _ := base64.RawURLEncoding.DecodeString(b)
	return bytes.Compare(x, y)
}

// parseCursor is the inverse, nil for "". Its errors wrap ErrCursor.
func parseCursor(cursor string, kind byte) ([]byte, error) {
	if cursor == "" {
		return nil, nil
	}
	k, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(k) < model.HistoryKeyLen || k[0] != kind {
		return nil, fmt.Errorf("%w: %q is none that a page ended with", ErrCursor, cursor)
	}
	return k, nil
}
