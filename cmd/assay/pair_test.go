package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"assay/streams"
	"assay/streams/streamstest/cluster"
)

// A worker folds into the store that its log names, and into no other: not into an empty one, and not into that of another log.
// It joins no fleet whose states have another version.
func TestLogAndStoreBelongTogether(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three servers twice")
	}
	dir := t.TempDir()
	nodes := cluster.Start(t, nil)
	nats, other := nodes.URL(), cluster.Start(t, nil).URL()
	store, theirs, empty := filepath.Join(dir, "store"), filepath.Join(dir, "theirs"), filepath.Join(dir, "empty")
	assay := func(args ...string) (int, string) {
		t.Helper()
		var stderr bytes.Buffer
		cmd := command(t.Context(), args...)
		cmd.Stderr = &stderr
		_ = cmd.Run()
		return cmd.ProcessState.ExitCode(), stderr.String()
	}
	work := func(store string) (int, string) {
		return assay("run", "--data", t.TempDir(), "--nats", nats, "--store", store, "--until-idle", "--sample")
	}
	for _, place := range [][]string{{nats, store}, {other, theirs}, {nats, store}} { // the last changes nothing
		if status, said := assay("fleet", "init", "--partitions", "1", "--nats", place[0], "--store", place[1]); status != exitDone {
			t.Fatalf("fleet init: %d, %s", status, said)
		}
	}
	for wrong, want := range map[string]string{
		empty:  "is empty: name that store by --store, or bring it back",
		theirs: "has the tables of log",
	} {
		if status, said := work(wrong); status == exitDone || !strings.Contains(said, want) {
			t.Errorf("%s: %d, %s", wrong, status, said)
		}
		if status, said := assay("fleet", "upgrade", "--nats", nats, "--store", wrong); status == exitDone || !strings.Contains(said, want) {
			t.Errorf("upgrade to %s: %d, %s", wrong, status, said)
		}
	}
	if status, said := work(store); status != exitDone {
		t.Errorf("%d, %s", status, said)
	}

	// A program of another version of states could fold nothing, so it does not join.
	js, err := jetstream.New(nodes.Connect(t))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), streams.StreamBronze)
	if err != nil {
		t.Fatal(err)
	}
	config := stream.CachedInfo().Config
	config.Metadata["assay.state"] = "1"
	if _, err := js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	const want = "the states of this fleet have version 1"
	if status, said := work(store); status == exitDone || !strings.Contains(said, want) {
		t.Errorf("%d, %s", status, said)
	}
	if status, said := assay("fleet", "upgrade", "--nats", nats, "--store", store); status == exitDone || !strings.Contains(said, want) {
		t.Errorf("upgrade: %d, %s", status, said)
	}
}
