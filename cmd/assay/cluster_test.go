package main

import (
	"fmt"
	"testing"

	"assay/streams/streamstest/cluster"
)

// The recordings go through three servers with three replicas as through one node: nothing is missing, and the tables are what the
// log says.
func TestRecordingsOnACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three servers")
	}
	dirs, alone, data := recordings(t), t.TempDir(), t.TempDir()
	one := summarise(t, ingestArgs(alone, dirs))
	nats := []string{"--nats", cluster.Start(t, nil).URL(), "--log-replicas", "3"}
	three := summarise(t, append(ingestArgs(data, dirs), nats...))
	if fmt.Sprint(three) != fmt.Sprint(one) {
		t.Errorf("on three servers %+v, on one node %+v", three, one)
	}
	if status, out := runHere(t, append([]string{"audit", "--data", data}, nats...)...); status != exitDone {
		t.Errorf("audit ends with %d: %s", status, out)
	}
}
