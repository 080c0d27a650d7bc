package bronze_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"assay/consumers/bronze"
)

func TestNaturalKeys(t *testing.T) {
	extra, err := bronze.NewKeys(map[string]bronze.Key{
		"ticket":               {Components: []string{"capability", "agent_id"}, Exact: true},
		bronze.KindRPCRequest:  {Components: []string{"stream_id"}},
		bronze.KindPromotion:   {Components: []string{"kind"}},
		bronze.KindObservation: {Components: []string{"event_id", "provider", "source", "parent_id", "position"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	place := []string{"s", "4", strings.Repeat("00", 20)}
	for name, tt := range map[string]struct {
		keys  *bronze.Keys
		event bronze.Event
		want  []string
		exact bool
	}{
		"intent":              {&bronze.Keys{}, bronze.Event{Kind: "x", IntentID: "i", EventID: "e", WorkflowID: "w"}, []string{"i", "w"}, false},
		"intent, no workflow": {&bronze.Keys{}, bronze.Event{Kind: "x", IntentID: "i"}, []string{"i", ""}, false},
		"own id":              {&bronze.Keys{}, bronze.Event{Kind: "x", EventID: "E", WorkflowID: "w"}, []string{"E"}, true},
		"place":               {&bronze.Keys{}, bronze.Event{Kind: "x", WorkflowID: "w"}, place, true},
		"promotion":           {&bronze.Keys{}, bronze.Event{Kind: bronze.KindPromotion, EventID: "e", WorkflowID: "w"}, []string{"e", "w"}, false},
		"promotion, nameless": {&bronze.Keys{}, bronze.Event{Kind: bronze.KindPromotion, WorkflowID: "w"}, place, true},
		"session":             {&bronze.Keys{}, bronze.Event{Kind: bronze.KindRPCProgress, WorkflowID: "w"}, []string{"s", "w"}, false},
		"cancellation":        {&bronze.Keys{}, bronze.Event{Kind: bronze.KindRPCNotification, IntentID: "i", WorkflowID: "w"}, []string{"i", "w"}, true},
		"message":             {&bronze.Keys{}, bronze.Event{Kind: bronze.KindChatMessage, EventID: "e", WorkflowID: "w"}, []string{"e", "w"}, false},
		"part of a record":    {&bronze.Keys{}, bronze.Event{Kind: "x", Part: 2}, []string{"s", "4", "2", strings.Repeat("00", 20)}, true},
		"answer to nothing":   {&bronze.Keys{}, bronze.Event{Kind: bronze.KindRPCError, WorkflowID: "w"}, place, true},
		"extension":           {extra, bronze.Event{Kind: "ticket", Capability: "C", AgentID: "A", IntentID: "i"}, []string{"C", "A"}, true},
		"extension, missing":  {extra, bronze.Event{Kind: "ticket", Capability: "C", IntentID: "i", WorkflowID: "w"}, []string{"i", "w"}, false},
		"override":            {extra, bronze.Event{Kind: bronze.KindRPCRequest, IntentID: "i"}, []string{"s"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			tt.event.StreamID, tt.event.Position = "s", 4
			got, exact := tt.keys.Components([]string{"before"}, &tt.event)
			if !slices.Equal(got, append([]string{"before"}, tt.want...)) || exact != tt.exact {
				t.Errorf("got %q, exact %v; want %q, %v", got, exact, tt.want, tt.exact)
			}
		})
	}
}

func TestKeysFor(t *testing.T) {
	keys, err := bronze.NewKeys(map[string]bronze.Key{"ticket": {Components: []string{"capability"}, Exact: true}})
	if err != nil {
		t.Fatal(err)
	}
	got := keys.For("ticket")
	want := []bronze.Key{
		{Components: []string{"capability"}, Exact: true},
		{Components: []string{"intent_id", "workflow_id"}},
		{Components: []string{"event_id"}, Exact: true},
		{Components: []string{"stream_id", "position", "part", "digest"}, Exact: true},
		{Components: []string{"stream_id", "position", "digest"}, Exact: true},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestUnusableKeys(t *testing.T) {
	for want, key := range map[string]bronze.Key{
		"it has 0 components":   {},
		"it has 9 components":   {Components: slices.Repeat([]string{"kind"}, 9)},
		`no component "colour"`: {Components: []string{"colour"}},
		"given twice":           {Components: []string{"kind", "kind"}},
	} {
		_, err := bronze.NewKeys(map[string]bronze.Key{"ticket": key})
		if !errors.Is(err, bronze.ErrKey) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `"ticket"`) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
