package main

import (
	"fmt"
	"path/filepath"
	"testing"

	"assay/streams/streamstest/cluster"
)

// The recordings go through three servers with three replicas as through one node: nothing is missing, and the tables are what the
// log says. Nothing is defined there but by `assay fleet`.
func TestRecordingsOnACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three servers")
	}
	dirs, alone, data := recordings(t), t.TempDir(), t.TempDir()
	one := summarise(t, ingestArgs(alone, dirs, "--partitions", "2"))
	place := []string{"--nats", cluster.Start(t, nil).URL(), "--store", filepath.Join(data, "store")}
	if status, _ := runHere(t, append(ingestArgs(data, dirs), place...)...); status == exitDone {
		t.Error("a log was defined by who came to use it")
	}
	if status, _ := runHere(t, append([]string{"fleet", "init", "--partitions", "2"}, place...)...); status != exitDone {
		t.Fatalf("fleet init ends with %d", status)
	}
	three := summarise(t, append(ingestArgs(data, dirs), place...))
	if fmt.Sprint(three) != fmt.Sprint(one) {
		t.Errorf("on three servers %+v, on one node %+v", three, one)
	}
	if status, out := runHere(t, append([]string{"audit", "--data", data}, place...)...); status != exitDone {
		t.Errorf("audit ends with %d: %s", status, out)
	}
}
