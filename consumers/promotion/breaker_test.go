package promotion

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestBackoff(t *testing.T) {
	b := Backoff{Base: time.Second, Max: time.Minute}
	rapid.Check(t, func(t *rapid.T) {
		failures := rapid.IntRange(1, 1_000_000).Draw(t, "failures")
		bound := time.Minute
		if failures < 7 {
			bound = time.Second << (failures - 1)
		}
		if d := b.delay(failures); d <= 0 || d > bound {
			t.Fatalf("%v after %d failures", d, failures)
		}
	})
}

func TestBreaker(t *testing.T) {
	now := time.Unix(1000, 0)
	b := breaker{backoff: Backoff{Base: time.Minute, Max: time.Hour}}
	admit := func(wantProbe, wantOK bool) {
		t.Helper()
		if probe, ok, _ := b.admit(now); probe != wantProbe || ok != wantOK {
			t.Fatalf("admitted %v, as a probe %v", ok, probe)
		}
	}
	for range breakerThreshold {
		admit(false, true)
		b.failed(now, false, 0)
	}
	admit(false, false)
	_, until := b.state(now)
	now = until
	admit(true, true)
	admit(false, false) // one probe at a time
	b.withdrawn(true)
	admit(true, true)
	b.failed(now, true, 2*time.Hour)
	if name, until := b.state(now); name != "open" || !until.Equal(now.Add(2*time.Hour)) {
		t.Errorf("after a probe that failed: %s until %v", name, until)
	}
	b.failed(now, false, 0) // of an attempt that began before: not counted again
	if _, again := b.state(now); !again.Equal(now.Add(2 * time.Hour)) {
		t.Errorf("a late failure moved the pause to %v", again)
	}
	now = now.Add(2 * time.Hour)
	admit(true, true)
	b.answered()
	admit(false, true)
	if name, _ := b.state(now); name != "closed" {
		t.Errorf("after a probe that succeeded: %s", name)
	}
}
