package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
)

// Read returns what the buckets tell to somebody who is no worker: every key counts as heard.
func Read(ctx context.Context, members, owners jetstream.KeyValue, partitions int) (s Status, err error) {
	s = Status{Members: []MemberStatus{}, Partitions: []PartitionStatus{}}
	names, err := members.Keys(ctx)
	if err != nil && !errors.Is(err, jetstream.ErrNoKeysFound) {
		return s, fmt.Errorf("fleet: read the members: %w", err)
	}
	for _, name := range names {
		var m Member
		found, err := read(ctx, members, name, &m)
		if err != nil {
			return s, err
		}
		if found {
			s.Members = append(s.Members, MemberStatus{Member: m, Alive: true})
		}
	}
	for p := range partitions {
		var o owned
		found, err := read(ctx, owners, strconv.Itoa(p), &o.Owner)
		if err != nil {
			return s, err
		}
		if !found {
			s.Partitions = append(s.Partitions, statusOf(p, nil))
			continue
		}
		s.Partitions = append(s.Partitions, statusOf(p, &o))
	}
	return s, nil
}

func read(ctx context.Context, kv jetstream.KeyValue, key string, into any) (found bool, err error) {
	entry, err := kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(entry.Value(), into)
	}
	if err != nil {
		return false, fmt.Errorf("fleet: read %s of bucket %s: %w", key, kv.Bucket(), err)
	}
	return true, nil
}
