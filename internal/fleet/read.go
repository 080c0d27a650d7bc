package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
)

// Read returns what the buckets tell to somebody who is no worker. Whether a worker lives is told by the clock of the log.
func Read(ctx context.Context, members, owners jetstream.KeyValue, partitions int) (s Status, err error) {
	s = Status{Members: []MemberStatus{}, Partitions: []PartitionStatus{}}
	names, err := members.Keys(ctx)
	if err != nil && !errors.Is(err, jetstream.ErrNoKeysFound) {
		return s, fmt.Errorf("fleet: read the members: %w", err)
	}
	bucket, err := members.Status(ctx)
	if err != nil {
		return s, fmt.Errorf("fleet: read the members: %w", err)
	}
	times := DefaultOptions()
	for _, name := range names {
		var m Member
		entry, err := read(ctx, members, name, &m)
		if err != nil {
			return s, err
		}
		if entry == nil {
			continue
		}
		status := MemberStatus{Member: m}
		if of, ok := bucket.(*jetstream.KeyValueBucketStatus); ok {
			status.Heard = of.StreamInfo().TimeStamp.Sub(entry.Created())
		}
		status.Alive = status.Heard <= times.DeadAfter+times.Beat
		s.Members = append(s.Members, status)
	}
	for p := range partitions {
		var o owned
		entry, err := read(ctx, owners, strconv.Itoa(p), &o.Owner)
		if err != nil {
			return s, err
		}
		if entry == nil {
			s.Partitions = append(s.Partitions, statusOf(p, nil))
			continue
		}
		s.Partitions = append(s.Partitions, statusOf(p, &o))
	}
	return s, nil
}

// ReadOwner returns who owns a partition, to somebody who is no worker; its name is "" for nobody.
func ReadOwner(ctx context.Context, owners jetstream.KeyValue, partition int) (Owner, error) {
	var o owned
	_, err := read(ctx, owners, strconv.Itoa(partition), &o.Owner)
	return ownerOf(&o), err
}

// read reads a key, if there is such a one; else its entry is nil.
func read(ctx context.Context, kv jetstream.KeyValue, key string, into any) (jetstream.KeyValueEntry, error) {
	entry, err := kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(entry.Value(), into)
	}
	if err != nil {
		return nil, fmt.Errorf("fleet: read %s of bucket %s: %w", key, kv.Bucket(), err)
	}
	return entry, nil
}
