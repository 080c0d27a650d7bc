package streams

import (
	"context"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// Entry is an entry of a bucket.
type Entry struct {
	Key   string
	Value []byte
}

// CreatePublications adds entries to the bucket of publications as one atomic batch, with one sync. The entries' revisions
// follow each other from the first, which it returns. If it fails, the bucket has all of them or none; an entry whose key is
// taken, or was not long ago, makes it fail.
func (l *Log) CreatePublications(ctx context.Context, entries []Entry) (first uint64, err error) {
	return CreateEntries(ctx, l.js, BucketPublications, entries)
}

// CreateEntries is CreatePublications for any bucket whose stream allows atomic batches.
func CreateEntries(ctx context.Context, js jetstream.JetStream, bucket string, entries []Entry) (first uint64, err error) {
	msgs := make([]*nats.Msg, len(entries))
	for i, e := range entries {
		msgs[i] = nats.NewMsg("$KV." + bucket + "." + e.Key)
		msgs[i].Header.Set(jetstream.ExpectedLastSubjSeqHeader, "0")
		msgs[i].Data = e.Value
	}
	ack, err := jetstreamext.PublishMsgBatch(ctx, js, msgs, jetstreamext.BatchFlowControl{})
	if err != nil {
		return 0, publishError(err)
	}
	return ack.Sequence + 1 - uint64(len(msgs)), nil // a batch is stored without gaps
}
