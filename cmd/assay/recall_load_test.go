package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// How BenchmarkRecallOverHTTP's events are made of the recorded ones.
const (
	// loadWorkflow is how many events a workflow has: calls and their answers, so half as many rows of entities.
	loadWorkflow = 400
	// loadWords is how many words there are, by Zipf's law, besides the recorded ones; loadNote how many of them end a text.
	loadWords = 50_000
	loadNote  = 12
	// loadFile is how many workflows a file has.
	loadFile = 50
)

// recallLoad makes calls and observations of recorded ones, again and again: under names of their own, in workflows of equal length, and
// with a note at the end of each text, so that texts are alike but not the same.
type recallLoad struct {
	recorded []map[string]any
	words    []string
	zipf     *rand.Zipf
	random   *rand.Rand
	events   int
}

func newRecallLoad(t testing.TB, seed uint64) *recallLoad {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(recordings(t)[2], "swe-agent.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	l := &recallLoad{random: rand.New(rand.NewPCG(seed, 1))}
	for line := range bytes.Lines(body) {
		var event map[string]any
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatal(err)
		}
		if event["topology_class"] != "epistemic_promotion" {
			l.recorded = append(l.recorded, event)
		}
	}
	syllables := strings.Fields("ba ce di fo gu ka le mi no pu ra se ti vo xu za che dri flo gra")
	names := rand.New(rand.NewPCG(3, 4)) // the same whatever the seed, so that questions have words of other loads
	for range loadWords {
		word := ""
		for range 3 + names.IntN(2) {
			word += syllables[names.IntN(len(syllables))]
		}
		l.words = append(l.words, word)
	}
	l.zipf = rand.NewZipf(l.random, 1.1, 8, loadWords-1)
	return l
}

// note is some words.
func (l *recallLoad) note(words int) string {
	var note strings.Builder
	for range words {
		note.WriteString(" " + l.words[l.zipf.Uint64()])
	}
	return note.String()
}

// next is one more event, a line. Workflows have names that begin with what is given.
func (l *recallLoad) next(t testing.TB, workflows string) []byte {
	t.Helper()
	event := map[string]any{}
	for key, value := range l.recorded[l.events%len(l.recorded)] {
		event[key] = value
	}
	copied := l.events / len(l.recorded)
	event["workflow_id"] = fmt.Sprintf("%s-%d", workflows, l.events/loadWorkflow)
	event["event_cid"] = fmt.Sprintf("%v-%s-%d", event["event_cid"], workflows, copied)
	event["intent_id"] = fmt.Sprintf("step-%d", l.events%loadWorkflow/2)
	for part, text := range map[string]string{"parameters": "thought", "payload": "observation"} {
		if of, ok := event[part].(map[string]any); ok {
			changed := map[string]any{}
			for key, value := range of {
				changed[key] = value
			}
			changed[text] = fmt.Sprint(changed[text], l.note(loadNote))
			event[part] = changed
		}
	}
	l.events++
	line, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return append(line, '\n')
}

// body is so many events.
func (l *recallLoad) body(t testing.TB, workflows string, events int) []byte {
	t.Helper()
	var body []byte
	for range events {
		body = append(body, l.next(t, workflows)...)
	}
	return body
}

// write writes that many events into files.
func (l *recallLoad) write(t testing.TB, dir string, events int) {
	t.Helper()
	const perFile = loadFile * loadWorkflow
	for first := 0; first < events; first += perFile {
		name := filepath.Join(dir, fmt.Sprintf("%05d.ndjson", first/perFile))
		if err := os.WriteFile(name, l.body(t, "workflow", min(perFile, events-first)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// question is one of what people ask, and in every other round a word of a note, too.
func (l *recallLoad) question(i int) string {
	asked := []string{
		"why does the test fail", "open the file", "search the directory", "edit line", "submit the patch", "division by zero",
		"reproduce the bug in the issue", "TimeDelta serialization precision", "which function rounds milliseconds", "missing colon",
	}
	return asked[i%len(asked)] + l.note(i/len(asked)%2)
}
