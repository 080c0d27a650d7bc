package proxy

import (
	"cmp"
	"sync"
)

// recentMax is how many of its keys a recent surely remembers, unless it says otherwise. It may remember twice as many.
const recentMax = 10_000

// recent remembers values by key, and forgets those whose keys were not used for longest. Its zero value is empty.
type recent[K comparable, V any] struct {
	max int // 0: recentMax

	mu       sync.Mutex
	now, old map[K]V
}

func (r *recent[K, V]) get(key K) (V, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.use(key)
}

// put sets the value of a key and reports whether it had one.
func (r *recent[K, V]) put(key K, value V) (had bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, had = r.use(key)
	r.set(key, value)
	return had
}

// getOrPut returns the value of a key, which it makes if there is none.
func (r *recent[K, V]) getOrPut(key K, value func() V) V {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.use(key)
	if !ok {
		v = value()
		r.set(key, v)
	}
	return v
}

func (r *recent[K, V]) use(key K) (V, bool) {
	if v, ok := r.now[key]; ok {
		return v, true
	}
	v, ok := r.old[key]
	if ok {
		r.set(key, v)
	}
	return v, ok
}

func (r *recent[K, V]) set(key K, value V) {
	if r.now == nil || len(r.now) >= cmp.Or(r.max, recentMax) {
		r.old, r.now = r.now, map[K]V{}
	}
	r.now[key] = value
}
