package gold

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"assay/consumers/bronze"
	"assay/consumers/gold/model"
	"assay/consumers/gold/project"
	"assay/consumers/gold/state"
	"assay/sovereign/schema"
)

// An entity has a mark under each spelling of its workflow. The rows between the two fill a write.
func TestAnEntityUnderTwoMarksIsAppendedOnce(t *testing.T) {
	store := newMemory()
	g := open(t, testOptions(store))
	defer g.Close()
	first, last, between := "a", "", ""
	for i := 0; last == "" || between == ""; i++ {
		switch name := fmt.Sprintf("b%d", i); {
		case model.HashOf(name) > model.HashOf(first) && (last == "" || model.HashOf(name) > model.HashOf(last)):
			last, between = name, last
		case last != "" && model.HashOf(name) > model.HashOf(first) && model.HashOf(name) < model.HashOf(last):
			between = name
		}
	}
	request, response := requestAndResponse(last, "twice")
	again := response
	again.Workflow, again.Position = first, 2
	again = newCapture(again, "twice")
	groups := [][][]capture{{{request}}, {{response}}, {{again}}}
	var requests, responses []capture
	for i := range project.FlushBytes/model.MaxText + 1 {
		request, response := requestAndResponse(between, fmt.Sprint(i))
		response.Text = strings.Repeat("x", model.MaxText)
		requests, responses = append(requests, request), append(responses, response)
	}
	deliver(t, g, 1, append(groups, [][]capture{requests}, [][]capture{responses})...)
	flush(t, g)
	if _, err := store.byKey(schema.Entities); err != nil {
		t.Error(err)
	}
}

func TestWhatOneGroupBringsWholeIsAppendedWithoutMarks(t *testing.T) {
	store := newMemory()
	g := open(t, testOptions(store))
	defer g.Close()
	request, response := requestAndResponse("w", "1")
	deliver(t, g, 1, [][]capture{append(message("Once upon ", "a time", "."), request, response)})
	for _, table := range []byte{state.DirtyReady, state.DirtyOpen, state.DirtyEpisode} {
		if found, err := state.DirtyMarks(g.db, table, nil, 1); err != nil || len(found) > 0 {
			t.Errorf("%d marks %c, %v", len(found), table, err)
		}
	}
	if live, err := g.Unsettled(context.Background(), "w"); err != nil || len(live) != 2 {
		t.Errorf("unsettled: %d, %v; want 2", len(live), err)
	}
	flush(t, g)
	if live, err := g.Unsettled(context.Background(), "w"); err != nil || len(live) != 0 {
		t.Errorf("unsettled: %d, %v; want none", len(live), err)
	}
	if e, p := len(store.tables[schema.Entities]), len(store.tables[schema.Episodes]); e != 2 || p != 3 {
		t.Errorf("%d entities and %d episodes, want 2 and 3", e, p)
	}
}

func TestHeldRowsAreBounded(t *testing.T) {
	store := newMemory()
	opts := testOptions(store)
	opts.HoldBytes = 1000
	g := open(t, opts)
	defer g.Close()
	for i := range 20 {
		c := newCapture(capture{Event: model.Event{
			Kind: bronze.KindObservation, Workflow: "w", Stream: "s", Position: uint64(i), Text: strings.Repeat("x", 500),
			InputTokens: -1, OutputTokens: -1,
		}}, fmt.Sprint(i))
		deliver(t, g, uint64(i+1), [][]capture{{c}})
		// The text of each is in two rows.
		if held := 1000 * (i + 1 - len(store.tables[schema.Entities])); held > 2*opts.HoldBytes+1000 {
			t.Fatalf("%d bytes are held", held)
		}
	}
	if err := g.FlushAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	if rows, err := store.byKey(schema.Entities); err != nil || len(rows) != 20 {
		t.Errorf("%d entities, %v; want 20", len(rows), err)
	}
}

func TestHeldRowsThatATableRefusesAreWrittenLater(t *testing.T) {
	for _, table := range []string{schema.Entities, schema.Episodes} {
		store := newMemory()
		g := open(t, testOptions(store))
		deliver(t, g, 1, [][]capture{message("Hello", "!")})
		store.fail = func(call string) (before, after error) {
			if call == "append "+table {
				return nil, errCrash // it has done it all the same
			}
			return nil, nil
		}
		if err := g.Flush(context.Background()); !errors.Is(err, ErrStore) {
			t.Errorf("%s: error is %v, want ErrStore", table, err)
		}
		store.fail = nil
		flush(t, g)
		for _, name := range []string{schema.Entities, schema.Episodes} {
			if rows, err := store.byKey(name); err != nil || len(rows) != 1 {
				t.Errorf("%s refused: %d rows of %s, %v", table, len(rows), name, err)
			}
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
