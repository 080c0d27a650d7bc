package promotion

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func open(time.Time) (probe, ok bool, again time.Time) { return false, true, time.Time{} }

// A backlog and new arrivals take turns: neither holds up the other.
func TestQueueIsFair(t *testing.T) {
	q, now := newQueue("me", "registry"), time.Unix(1000, 0)
	for i := range 100 {
		q.observe(&Publication{EventUUID: fmt.Sprint("old", i), State: Pending, Accepted: now}, uint64(i+1), true)
		q.observe(&Publication{EventUUID: fmt.Sprint("new", i), State: Pending, Accepted: now}, uint64(i+1), false)
	}
	taken := map[string]int{}
	for range 20 {
		item, ok, _ := q.take(now, open)
		if !ok {
			t.Fatal("nothing is due")
		}
		taken[item.key[:3]]++
	}
	if taken["old"] != 10 || taken["new"] != 10 {
		t.Errorf("of 20 taken: %v", taken)
	}
}

func TestQueueWaits(t *testing.T) {
	q, now := newQueue("me", "registry"), time.Unix(1000, 0)
	at := func(seconds int) time.Time { return now.Add(time.Duration(seconds) * time.Second) }
	q.observe(&Publication{EventUUID: "backing off", State: Pending, Registry: "registry", NextAttempt: at(30)}, 1, false)
	q.observe(&Publication{EventUUID: "leased", State: Pending, Lease: &Lease{Owner: "other", Until: at(20)}}, 2, false)
	q.observe(&Publication{EventUUID: "rejected", State: Rejected}, 3, false)
	for _, want := range []struct {
		key   string
		after int
	}{{"leased", 20}, {"backing off", 30}} {
		if _, ok, again := q.take(now, open); ok || !again.Equal(at(want.after)) {
			t.Fatalf("%s: come back at %v", want.key, again)
		}
		item, ok, _ := q.take(at(want.after), open)
		if !ok || item.key != want.key {
			t.Fatalf("taken %+v, want %s", item, want.key)
		}
		q.drop(item.key)
	}
	if _, ok, again := q.take(at(1000), open); ok || !again.IsZero() {
		t.Errorf("a rejected one is scheduled for %v", again)
	}
}

// Whatever happens in whatever order, the queue offers exactly those that are pending, due and not taken.
func TestQueueAgainstModel(t *testing.T) {
	type entry struct {
		state State
		due   time.Time
		taken bool
	}
	rapid.Check(t, func(t *rapid.T) {
		q, now, revision := newQueue("me", "registry"), time.Unix(0, 0), uint64(0)
		model := map[string]*entry{}
		key := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})
		t.Repeat(map[string]func(*rapid.T){
			"observe": func(t *rapid.T) {
				k, state := key.Draw(t, "key"), rapid.SampledFrom([]State{Pending, Rejected}).Draw(t, "state")
				due := now.Add(time.Duration(rapid.IntRange(-5, 5).Draw(t, "due")) * time.Second)
				revision++
				q.observe(&Publication{EventUUID: k, State: state, Registry: "registry", NextAttempt: due}, revision, false)
				if model[k] == nil {
					model[k] = &entry{}
				}
				model[k].state, model[k].due = state, due
			},
			"observe late": func(t *rapid.T) {
				if k := key.Draw(t, "key"); model[k] != nil {
					q.observe(&Publication{EventUUID: k, State: Pending}, 1, false)
					if revision == 1 {
						t.Skip("not late")
					}
				}
			},
			"take": func(t *rapid.T) {
				item, ok, again := q.take(now, open)
				if !ok {
					for k, e := range model {
						if e.state == Pending && !e.taken && (!e.due.After(now) || e.due.Before(again)) {
							t.Fatalf("%s is due at %v, the queue says %v", k, e.due, again)
						}
					}
					return
				}
				e := model[item.key]
				if e == nil || e.state != Pending || e.taken || e.due.After(now) {
					t.Fatalf("took %s, which is %+v at %v", item.key, e, now)
				}
				e.taken = true
			},
			"give back": func(t *rapid.T) {
				k := key.Draw(t, "key")
				if model[k] == nil || !model[k].taken {
					t.Skip("not taken")
				}
				model[k].taken = false
				switch rapid.IntRange(0, 2).Draw(t, "how") {
				case 0:
					q.release(k)
				case 1:
					q.postpone(k, now.Add(time.Second))
					model[k].due = now.Add(time.Second)
				default:
					q.drop(k)
					delete(model, k)
				}
			},
			"forget": func(t *rapid.T) {
				k := key.Draw(t, "key")
				if model[k] == nil || model[k].taken {
					t.Skip("nothing to forget")
				}
				revision++
				q.forget(k, revision)
				delete(model, k)
			},
			"time passes": func(*rapid.T) { now = now.Add(time.Second) },
			"": func(t *rapid.T) {
				pending, rejected, _ := q.count()
				for _, e := range model {
					if e.state == Pending {
						pending--
					} else {
						rejected--
					}
				}
				if pending != 0 || rejected != 0 {
					t.Fatalf("counts are off by %d pending and %d rejected", pending, rejected)
				}
			},
		})
	})
}
