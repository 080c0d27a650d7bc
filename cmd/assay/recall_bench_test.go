package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"assay/internal/app"
	"assay/internal/config"
	"assay/internal/query"
)

// How BenchmarkRecallOverHTTP measures.
const (
	recallEvents  = 20_000 // of its store, where SCALE_ROWS names no other number
	recallSamples = 50     // of each kind of question in each state
	recallHits    = 10
	recallRows    = loadWorkflow / 2 // of a rehydration
	ingestRate    = 2_000            // events a second
	ingestEvery   = 100 * time.Millisecond
	foundLook     = 10 * time.Millisecond
	foundMax      = 10 * time.Second
	foundTrials   = 10
)

// BenchmarkRecallOverHTTP asks the program by words, by vector and by both, and rehydrates a workflow of 200 rows: right after a start,
// at rest once upkeep has run, and while 2,000 events a second come in; and how long after its acknowledgement an event is found by
// words meanwhile. SCALE_ROWS=160000,800000 names how many events there are; each makes 1.3 episodes. SCALE_DIR names where their
// data directories are kept from one run to the next: what a run ingests stays there.
func BenchmarkRecallOverHTTP(b *testing.B) {
	sizes := []int{recallEvents}
	if text := os.Getenv("SCALE_ROWS"); text != "" {
		sizes = nil
		for part := range strings.SplitSeq(text, ",") {
			n, err := strconv.Atoi(part)
			if err != nil {
				b.Fatalf("SCALE_ROWS: %v", err)
			}
			sizes = append(sizes, n)
		}
	}
	for _, events := range sizes {
		b.Run(fmt.Sprintf("events=%d", events), func(b *testing.B) {
			q := &questioner{load: newRecallLoad(b, uint64(time.Now().UnixNano())), workflows: events / loadWorkflow}
			data := loaded(b, events)
			server, url := serve(b, data)
			q.url = url
			b.Run("start", func(b *testing.B) { q.measure(b) })
			server.stop(b)
			keepUp(b, data)
			server, q.url = serve(b, data)
			q.measure(b) // caches
			b.Run("rest", func(b *testing.B) { q.measure(b) })
			b.Run("ingest", q.measureBesideIngest)
			if most, err := memoryOf(server.Process.Pid, "VmHWM"); err == nil {
				b.Logf("at most %d MiB resident", most>>10)
			}
			server.stop(b)
		})
	}
}

// loaded is a data directory with that many events.
func loaded(b *testing.B, events int) string {
	b.Helper()
	dir := os.Getenv("SCALE_DIR")
	if dir == "" {
		dir = b.TempDir()
	}
	data := filepath.Join(dir, fmt.Sprintf("events-%d", events))
	if _, err := os.Stat(data); err == nil {
		return data
	}
	input := b.TempDir()
	newRecallLoad(b, 1).write(b, input, events)
	began := time.Now()
	if status, out := runHere(b, "run", "--data", data+".part", "--until-idle", "--json", "--ingest", input); status != 0 {
		b.Fatalf("ingest: status %d: %s", status, out)
	}
	b.Logf("%d events were ingested in %s", events, time.Since(began).Round(time.Second))
	if err := os.Rename(data+".part", data); err != nil {
		b.Fatal(err)
	}
	return data
}

// keepUp does upkeep as the program does every two minutes.
func keepUp(b *testing.B, data string) {
	b.Helper()
	settings := config.Default()
	settings.Data = data
	opened, err := openPipeline(b.Context(), settings, slog.New(slog.DiscardHandler), app.Options{})
	if err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(opened.Maintain(b.Context()), opened.Close(b.Context())); err != nil {
		b.Fatal(err)
	}
}

// questioner asks a program.
type questioner struct {
	load      *recallLoad
	url       string
	workflows int // that there are
	asked     int
}

// measure asks the kinds of questions in turn and reports how long answers took.
func (q *questioner) measure(b *testing.B) {
	b.Helper()
	took := map[string][]time.Duration{}
	for range b.N {
		for range recallSamples {
			question := q.load.question(q.asked)
			for _, mode := range []string{query.ModeText, query.ModeVector, query.ModeHybrid} {
				hits, waited := q.recall(b, query.RecallRequest{Query: question, Mode: mode, Limit: recallHits})
				if len(hits) == 0 {
					b.Errorf("nothing was found by %s for %q", mode, question)
				}
				took[mode] = append(took[mode], waited)
			}
			waited := q.rehydrate(b, fmt.Sprintf("workflow-%d", q.load.random.IntN(q.workflows)))
			took["rehydrate"] = append(took["rehydrate"], waited)
			q.asked++
		}
	}
	for kind, all := range took {
		slices.Sort(all)
		for _, percent := range []int{50, 95} {
			b.ReportMetric(all[(len(all)-1)*percent/100].Seconds()*1e3, fmt.Sprintf("%s-p%d-ms", kind, percent))
		}
	}
	b.ReportMetric(0, "ns/op") // of all of them together says nothing
}

// measureBesideIngest does so while events come in, and looks how soon one of them is found.
func (q *questioner) measureBesideIngest(b *testing.B) {
	ctx, cancel := context.WithCancel(b.Context())
	var feeding errgroup.Group
	feeding.Go(func() error { return q.feed(ctx, b) })
	took := make([]time.Duration, foundTrials)
	for i := range took {
		took[i] = q.findNew(b, i)
	}
	q.measure(b)
	cancel()
	if err := feeding.Wait(); err != nil {
		b.Error(err)
	}
	b.ReportMetric(slices.Max(took).Seconds(), "found-max-s")
}

// feed ingests events at an even rate until ctx ends, and fails if the program does not keep up with it.
func (q *questioner) feed(ctx context.Context, b *testing.B) error {
	load := newRecallLoad(b, uint64(time.Now().UnixNano()))
	workflows := fmt.Sprintf("live-%d", time.Now().UnixNano())
	tick := time.NewTicker(ingestEvery)
	defer tick.Stop()
	began := time.Now()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			b.ReportMetric(float64(load.events)/time.Since(began).Seconds(), "ingest-events/s")
			return nil
		}
		due := int(time.Since(began).Seconds()*ingestRate) - load.events
		body := load.body(b, workflows, min(due, ingestRate)) // what was missed is made up for, within a second's worth
		if _, err := q.post("/v1/ingest/event/"+workflows, "application/x-ndjson", body); err != nil {
			return err
		}
	}
}

// findNew ingests an event with a word of its own and returns how long after its acknowledgement it is found by that.
func (q *questioner) findNew(b *testing.B, i int) time.Duration {
	b.Helper()
	word := fmt.Sprintf("unique%dx%d", time.Now().UnixNano(), i)
	event := fmt.Sprintf(`{"topology_class":"observation","event_cid":%q,"workflow_id":"found","payload":{"observation":"the word is %s"}}`+"\n",
		word, word)
	if _, err := q.post("/v1/ingest/event/found", "application/x-ndjson", []byte(event)); err != nil {
		b.Fatal(err)
	}
	tick := time.NewTicker(foundLook)
	defer tick.Stop()
	for began := time.Now(); ; <-tick.C {
		took := time.Since(began)
		if hits, _ := q.recall(b, query.RecallRequest{Query: word, Mode: query.ModeText}); len(hits) > 0 {
			return took
		}
		if took > foundMax {
			b.Fatalf("an event is not found %s after it was accepted", foundMax)
		}
	}
}

// recall asks, and tells how long it took until the whole answer was there.
func (q *questioner) recall(b *testing.B, request query.RecallRequest) ([]query.Hit, time.Duration) {
	b.Helper()
	body, err := json.Marshal(request)
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	answer, err := q.post("/v1/recall", "application/json", body)
	took := time.Since(began)
	if err != nil {
		b.Fatal(err)
	}
	var recalled query.Recalled
	if err := json.Unmarshal(answer, &recalled); err != nil {
		b.Fatal(err)
	}
	return recalled.Hits, took
}

// rehydrate does so for a workflow.
func (q *questioner) rehydrate(b *testing.B, workflow string) time.Duration {
	b.Helper()
	began := time.Now()
	answer, err := answerOf(http.Get(q.url + "/v1/workflows/" + workflow + "?limit=" + strconv.Itoa(recallRows)))
	took := time.Since(began)
	if err != nil {
		b.Fatal(err)
	}
	var found query.Workflow
	if err := json.Unmarshal(answer, &found); err != nil || len(found.Entities) != recallRows {
		b.Fatalf("%s has %d rows, %v; want %d", workflow, len(found.Entities), err, recallRows)
	}
	return took
}

func (q *questioner) post(path, contentType string, body []byte) ([]byte, error) {
	return answerOf(http.Post(q.url+path, contentType, bytes.NewReader(body)))
}

func answerOf(response *http.Response, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, answer)
	}
	return answer, err
}
