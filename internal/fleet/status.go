package fleet

import (
	"maps"
	"slices"
	"time"
)

// Status is what this worker knows of the fleet.
type Status struct {
	Members    []MemberStatus    `json:"members"`
	Partitions []PartitionStatus `json:"partitions"`
}

// MemberStatus is a worker, and whether it is heard.
type MemberStatus struct {
	Member
	Alive bool          `json:"alive"`
	Heard time.Duration `json:"-"`
}

// PartitionStatus is who owns a partition.
type PartitionStatus struct {
	Partition int    `json:"partition"`
	Owner     string `json:"owner,omitempty"` // "" while it has none
	Epoch     uint64 `json:"epoch"`
	Lag       uint64 `json:"lag"` // batches that are not folded
}

// Status returns what is known.
func (f *Fleet) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := Status{Members: []MemberStatus{}, Partitions: []PartitionStatus{}}
	for _, name := range slices.Sorted(maps.Keys(f.members)) {
		m := f.members[name]
		s.Members = append(s.Members, MemberStatus{m.Member, f.alive(m), time.Since(m.at)})
	}
	for p := range f.opts.Partitions {
		s.Partitions = append(s.Partitions, statusOf(p, f.owners[p]))
	}
	return s
}

func statusOf(p int, o *owned) PartitionStatus {
	status := PartitionStatus{Partition: p}
	if o != nil {
		status.Epoch, status.Owner = o.Epoch, ownerOf(o).Name
	}
	return status
}

// ownerOf is who owns a partition; its name is "" for nobody.
func ownerOf(o *owned) (owner Owner) {
	if o != nil && !o.Released {
		return o.Owner
	}
	return owner
}

// Stats returns the counts.
func (f *Fleet) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stats
}

// OwnerOf returns who owns a partition as far as is known; its name is "" for nobody.
func (f *Fleet) OwnerOf(p int) Owner {
	f.mu.Lock()
	defer f.mu.Unlock()
	return ownerOf(f.owners[p])
}

// Lives tells whether a worker that was started as an instance lives.
func (f *Fleet) Lives(instance string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.members {
		if m.Instance == instance {
			return f.alive(m)
		}
	}
	return false
}

// Self is this worker as it began.
func (f *Fleet) Self() Member { return f.opts.Self }

// Settled tells whether every partition is with the worker that is to own it.
func (f *Fleet) Settled() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for p, wanted := range shares(f.folding(), f.opts.Partitions) {
		if o := f.owners[p]; o == nil || o.Released || o.Name != wanted.owner {
			return false
		}
	}
	return f.ready == 2
}

// Joined tells whether all partitions have been with their owners since this worker began.
func (f *Fleet) Joined() bool {
	settled := f.Settled()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.joined = f.joined || settled
	return f.joined
}
