package promotion

import (
	"container/heap"
	"sync"
	"time"
)

// queue orders publications by when they may be tried. It mirrors the bucket without the payloads, so ten thousand of
// them are a few megabytes; the bucket's size limits it.
type queue struct {
	owner    string // of our own leases
	registry string // name of the registry in use

	mu      sync.Mutex
	items   map[string]*item
	backlog dueHeap // met at start, or tried before
	fresh   dueHeap // came while running and not tried yet
	turn    bool    // whose turn it is when both have one due: the fresh one's
	busy    int     // taken and not given back
	loaded  bool    // the bucket has been read once
	changed chan struct{}
}

// item is what the queue knows of one publication.
type item struct {
	key      string
	revision uint64 // of the entry in the bucket
	state    State
	due      time.Time
	accepted time.Time
	fresh    bool
	taken    bool
	place    int      // in its heap
	heap     *dueHeap // nil while in none
}

// ticket is the right to make one attempt at the entry in that revision.
type ticket struct {
	key      string
	revision uint64
	probe    bool // of the breaker
}

func newQueue(owner, registry string) *queue {
	return &queue{owner: owner, registry: registry, items: map[string]*item{}, changed: make(chan struct{}, 1)}
}

// observe tells what the bucket holds at a revision; what is older than known is passed over. At start tells that the
// entry was there before us.
func (q *queue) observe(p *Publication, revision uint64, start bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	it := q.items[p.EventUUID]
	if it == nil {
		it = &item{key: p.EventUUID, fresh: !start && p.Attempts == 0}
		q.items[p.EventUUID] = it
	}
	if revision <= it.revision {
		return
	}
	it.revision, it.state, it.accepted = revision, p.State, p.Accepted
	it.fresh = it.fresh && p.Attempts == 0
	it.due = p.due(q.owner, q.registry, start)
	q.place(it)
}

// forget tells that the entry is gone from the bucket as of a revision.
func (q *queue) forget(key string, revision uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if it := q.items[key]; it != nil && it.revision < revision {
		q.remove(it)
	}
}

// load tells that all that was in the bucket at start has been observed.
func (q *queue) load() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.loaded = true
	q.signal()
}

// take returns a publication that may be tried now, if admit allows an attempt; else when to come back, zero meaning on
// the next change. Each one taken is given back by exactly one of release, postpone and drop.
func (q *queue) take(now time.Time, admit func(time.Time) (probe, ok bool, again time.Time)) (t ticket, ok bool, again time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	from, again := q.next(now)
	if from == nil {
		return ticket{}, false, again
	}
	probe, ok, again := admit(now)
	if !ok {
		return ticket{}, false, again
	}
	it := heap.Pop(from).(*item)
	it.heap, it.taken = nil, true
	q.busy++
	q.turn = from != &q.fresh
	return ticket{key: it.key, revision: it.revision, probe: probe}, true, time.Time{}
}

// next is the heap whose first publication is due, taking turns where both have one, so that neither a backlog of weeks
// nor a flood of new ones holds up the other; nil and the earliest time if none is due.
func (q *queue) next(now time.Time) (from *dueHeap, again time.Time) {
	first, second := &q.backlog, &q.fresh
	if q.turn {
		first, second = second, first
	}
	for _, h := range []*dueHeap{first, second} {
		if len(*h) == 0 {
			continue
		}
		due := (*h)[0].due
		if !due.After(now) {
			return h, time.Time{}
		}
		if again.IsZero() || due.Before(again) {
			again = due
		}
	}
	return nil, again
}

// release gives one back as the bucket has it.
func (q *queue) release(key string) { q.giveBack(key, func(*item) {}) }

// postpone gives one back, not to be tried before at.
func (q *queue) postpone(key string, at time.Time) {
	q.giveBack(key, func(it *item) { it.due = at })
}

// drop gives one back that is no longer in the bucket.
func (q *queue) drop(key string) { q.giveBack(key, q.remove) }

func (q *queue) giveBack(key string, then func(*item)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.busy--
	q.signal()
	it := q.items[key]
	if it == nil { // forgotten meanwhile
		return
	}
	it.taken = false
	then(it)
	if q.items[key] == it {
		q.place(it)
	}
}

// idle reports that nothing is being tried and nothing could be tried now.
func (q *queue) idle(now time.Time, closed bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	due, _ := q.next(now)
	return q.loaded && q.busy == 0 && (due == nil || closed)
}

// count returns how many are pending and rejected, and when the oldest pending one was accepted.
func (q *queue) count() (pending, rejected int, oldest time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, it := range q.items {
		if it.state == Rejected {
			rejected++
			continue
		}
		pending++
		if oldest.IsZero() || it.accepted.Before(oldest) {
			oldest = it.accepted
		}
	}
	return pending, rejected, oldest
}

// place puts the item where it belongs: into one heap if it is pending and not taken, else into none.
func (q *queue) place(it *item) {
	if it.heap != nil {
		heap.Remove(it.heap, it.place)
		it.heap = nil
	}
	if it.state != Pending || it.taken {
		return
	}
	it.heap = &q.backlog
	if it.fresh {
		it.heap = &q.fresh
	}
	heap.Push(it.heap, it)
	q.signal()
}

func (q *queue) remove(it *item) {
	if it.heap != nil {
		heap.Remove(it.heap, it.place)
		it.heap = nil
	}
	delete(q.items, it.key)
	q.signal()
}

// signal wakes the dispatcher; one signal that waits stands for all.
func (q *queue) signal() {
	select {
	case q.changed <- struct{}{}:
	default:
	}
}

// dueHeap is a heap.Interface: the earliest due first, then the earliest accepted.
type dueHeap []*item

func (h dueHeap) Len() int { return len(h) }

func (h dueHeap) Less(i, j int) bool {
	if !h[i].due.Equal(h[j].due) {
		return h[i].due.Before(h[j].due)
	}
	return h[i].accepted.Before(h[j].accepted)
}

func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *dueHeap) Push(x any) {
	it := x.(*item)
	it.place = len(*h)
	*h = append(*h, it)
}

func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	it := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return it
}
