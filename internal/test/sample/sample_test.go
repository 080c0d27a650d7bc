package sample

import (
	"bytes"
	"testing"
	"time"

	"assay/consumers/bronze"
)

// The session is the same every time but for when it happened, and is captured in the order of its positions.
func TestFrames(t *testing.T) {
	start := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	frames, again := Frames(start), Frames(start)
	next := map[string]uint64{}
	for i, f := range frames {
		if !bytes.Equal(f.Body, again[i].Body) || f.ID() != again[i].ID() {
			t.Errorf("frame %d differs from time to time", i)
		}
		if f.Position != next[f.Stream] {
			t.Errorf("%s has %d after %d", f.Stream, f.Position, next[f.Stream])
		}
		next[f.Stream] += uint64(f.Count)
		if f.Captured.Before(start) || f.Captured.After(start.Add(Long)) {
			t.Errorf("%s is captured at %s", f.ID(), f.Captured)
		}
	}
	for _, s := range Session() {
		if len(s.Body) == 0 || s.Source == "http" {
			t.Errorf("stream %s of %s has %d bytes", s.ID, s.Source, len(s.Body))
		}
	}
}

// Everything in the session is understood.
func TestNothingIsDead(t *testing.T) {
	kinds := map[string]int{}
	for i, f := range Frames(time.Unix(1.77e9, 0)) {
		for _, e := range bronze.Decode(f, uint64(i+1)) {
			if e.Disposition == bronze.Dead {
				t.Errorf("%s: %s", f.ID(), e.Reason)
			}
			kinds[e.Kind]++
		}
	}
	if kinds[""] > 0 {
		t.Errorf("events of no kind among %v", kinds)
	}
}
