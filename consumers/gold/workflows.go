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
	last, err := parseCursor(cursor, keyRecent)
	if err != nil {
		return nil, "", err
	}
	snapshot := g.state.db.NewSnapshot()
	defer snapshot.Close()
	limit, scanned := min(limit, maxWorkflows), 0
	err = scanAfter(snapshot, []byte{keyRecent}, last, func(k, _ []byte) (bool, error) {
		if len(page) == limit || scanned == maxScanned || ctx.Err() != nil {
			next = formatCursor(last)
			return false, context.Cause(ctx)
		}
		at, id := parseRecent(k)
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
	snapshot := g.state.db.NewSnapshot()
	defer snapshot.Close()
	return loadWorkflow(snapshot, historyID(g.opts.Namespace, workflow))
}

// WorkflowNames returns the names of workflows, in their order, up to limit.
func (g *Gold) WorkflowNames(limit int) (names []string, err error) {
	err = scan(g.state.db, []byte{keyTraces}, func(k, _ []byte) (bool, error) {
		names = append(names, string(k[1:]))
		return len(names) < limit, nil
	})
	return names, err
}

func loadWorkflow(from pebble.Reader, history uuid.UUID) (*Workflow, error) {
	s, err := load(from, historyKey(history, slotSummary), decodeSummary)
	if err != nil || s == nil {
		return nil, err
	}
	w := &Workflow{
		ID: s.workflow, LastAt: timeOf(s.last.at), Entities: s.entities, Messages: s.messages, Calls: s.calls,
		Errors: s.errors, OpenCalls: s.open, InputTokens: s.inputTokens, OutputTokens: s.outputTokens,
		CachedTokens: s.cachedTokens, ReasoningTokens: s.reasoningTokens, CostUSD: float64(s.cost) / 1e9,
	}
	if w.Agents, err = loadNames(from, history, slotAgent); err != nil {
		return nil, err
	}
	if w.Models, err = loadNames(from, history, slotModel); err != nil {
		return nil, err
	}
	return w, w.entitle(from, history)
}

func loadNames(from pebble.Reader, history uuid.UUID, slot byte) (names []string, err error) {
	err = scan(from, historyKey(history, slot), func(k, _ []byte) (bool, error) {
		names = append(names, string(k[historyKeyLen:]))
		return len(names) < maxNames, nil
	})
	return names, err
}

// entitle finds the workflow's first turn and its title: the last that an event told, else the beginning of what a user said first or, without a user, of what
// was said first.
func (w *Workflow) entitle(from pebble.Reader, history uuid.UUID) error {
	var first, said uuid.UUID
	seen := 0
	err := scan(from, historyKey(history, slotTurn), func(k, by []byte) (bool, error) {
		t := parseTurn(k)
		if seen++; seen == 1 {
			w.FirstAt = timeOf(t.at)
		}
		switch speaker(by[0]) {
		case user:
			said = t.entity
		case other:
			if first == uuid.Nil {
				first = t.entity
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
	e, err := loadWhole(from, said)
	if err == nil && e != nil {
		w.Title = headline(e.content.text())
	}
	return err
}

// lastTitle is the title that an event told last, "" if none did.
func lastTitle(from pebble.Reader, history uuid.UUID) (string, error) {
	prefix := historyKey(history, slotTitle)
	it, err := from.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return "", stateError("scan", err)
	}
	defer it.Close()
	if !it.Last() {
		return "", stateError("scan", it.Error())
	}
	e, err := loadEntity(from, parseTurn(it.Key()).entity)
	if err != nil || e == nil {
		return "", err
	}
	return e.title.value, nil
}

// headline is the beginning of a text on one line.
func headline(text string) string {
	words := strings.Join(strings.Fields(cut(text, 8*titleRunes)), " ")
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
	prefix := historyKey(historyID(g.opts.Namespace, workflow), slotTurn)
	last, err := parseCursor(asked.Cursor, keyHistory)
	if err != nil {
		return nil, "", err
	}
	snapshot := g.state.db.NewSnapshot()
	defer snapshot.Close()
	it, err := snapshot.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return nil, "", stateError("scan", err)
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
			return nil, "", stateError("scan", err)
		}
		last = bytes.Clone(it.Key())
		if speaker(by[0]) == notifier {
			continue
		}
		e, err := loadView(snapshot, parseTurn(last).entity)
		if err != nil {
			return nil, "", err
		}
		if e != nil {
			page, size = append(page, e), size+len(e.Text)+len(e.Request)+len(e.Result)+len(e.Reasoning)
		}
	}
	return page, next, stateError("scan", it.Error())
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
	if err != nil || len(k) < historyKeyLen || k[0] != kind {
		return nil, fmt.Errorf("%w: %q is none that a page ended with", ErrCursor, cursor)
	}
	return k, nil
}
