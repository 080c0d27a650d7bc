package chaos

import (
	"math/rand/v2"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"assay/sovereign/schema"
)

// A run can be repeated: the same seed is the same input.
func TestSameSeedSameLoad(t *testing.T) {
	if !reflect.DeepEqual(NewLoad(5, 60), NewLoad(5, 60)) {
		t.Error("two loads of one seed differ")
	}
	if reflect.DeepEqual(NewLoad(5, 60).Bodies, NewLoad(6, 60).Bodies) {
		t.Error("two seeds make one load")
	}
}

// The oracle sees a row that is missing, one too many, one that is there twice and one that is another.
func TestOracleSeesEveryDifference(t *testing.T) {
	undisturbed := Snapshot{schema.Traces: {"a": {"k=1"}, "b": {"k=2"}}}
	for want, s := range map[string]Snapshot{
		"traces lacks b":              {schema.Traces: {"a": {"k=1"}}},
		"traces should not have c":    {schema.Traces: {"a": {"k=1"}, "b": {"k=2"}, "c": {"k=3"}}},
		"traces has b 2 times":        {schema.Traces: {"a": {"k=1"}, "b": {"k=2", "k=2"}}},
		"another b: k=3, undisturbed": {schema.Traces: {"a": {"k=1"}, "b": {"k=3"}}},
	} {
		found := strings.Join(append(s.Duplicates(), s.Differences(undisturbed)...), "\n")
		if !strings.Contains(found, want) {
			t.Errorf("want %q in %q", want, found)
		}
	}
	if found := append(undisturbed.Duplicates(), undisturbed.Differences(undisturbed)...); len(found) > 0 {
		t.Errorf("a snapshot differs from itself: %v", found)
	}
}

// The oracle sees a letter that is missing, one too many, one that says something else and one that says nothing.
func TestOracleSeesEveryLetter(t *testing.T) {
	l := newLoad("letters")
	l.Dead["a"], l.Dead["poison"] = &Place{"w", "s", 3}, nil
	const right = `"w" "s" 3: cut off`
	undisturbed := map[string][]string{"a": {right}}
	for want, letters := range map[string]map[string][]string{
		"":                            {"a": {right}, "poison": {`"v" "p" 0: garbage`}},
		`DEAD lacks "a"`:              {"poison": {`"v" "p" 0: garbage`}},
		`DEAD lacks "poison"`:         {"a": {right}},
		`DEAD should not have "b"`:    {"a": {right}, "poison": {`"v" "p" 0: garbage`}, "b": {right}},
		`DEAD has another "a"`:        {"a": {`"w" "s" 4: cut off`}, "poison": {`"v" "p" 0: garbage`}},
		`undisturbed ["\"w\" \"s\" 3`: {"a": {right, `"w" "s" 3: another`}, "poison": {`"v" "p" 0: garbage`}},
		`"poison" has no reason`:      {"a": {right}, "poison": {`"v" "p" 0: `}},
	} {
		found := strings.Join(l.checkLetters(letters, undisturbed), "\n")
		if !strings.Contains(found, want) || (want == "") != (found == "") {
			t.Errorf("want %q in %q", want, found)
		}
	}
}

// The registry counts by key and by content.
func TestRegistryCounts(t *testing.T) {
	r := NewRegistry(rand.New(rand.NewPCG(1, 1)))
	defer r.Close()
	publish := func(key, body string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Idempotency-Key", key)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
	}
	defer http.DefaultClient.CloseIdleConnections()
	publish("k1", `{"event_cid":"once"}`)
	publish("k1", `{"event_cid":"once"}`) // repeated, as after an answer that was lost
	publish("k2", `{"event_cid":"twice"}`)
	publish("k3", `{"event_cid":"twice"}`)
	publish("k3", `{"event_cid":"other"}`)
	found := strings.Join(r.Check(map[string]bool{"once": true, "twice": true, "never": true}), "\n")
	for _, want := range []string{"twice was published 2 times", "never was never published", "key k3 is used for"} {
		if !strings.Contains(found, want) {
			t.Errorf("want %q in %q", want, found)
		}
	}
	if strings.Contains(found, "once") {
		t.Errorf("a repetition is no second publication: %q", found)
	}
}
