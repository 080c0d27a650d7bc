package deadletter

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"

	"assay/consumers/silver"
	"assay/streams"
)

// ID says where an event that cannot be decoded stands: in which frame of BRONZE, and at which position of its stream.
type ID struct{ Seq, Position uint64 }

func (id ID) String() string { return fmt.Sprintf("%d/%d", id.Seq, id.Position) }

// Letter is what is compared of a letter.
type Letter struct {
	ID
	Workflow  string
	signature signature
}

// parts are what a letter consists of; a signature has the beginning of the SHA-256 of each.
var parts = [...]string{"source", "stream_id", "workflow_id", "reason", "raw"}

type signature [len(parts)]uint64

// Of reads a letter. It is not ok if the message does not tell of a frame of BRONZE.
func Of(subject string, header nats.Header, body []byte) (l Letter, ok bool) {
	seq, err := strconv.ParseUint(header.Get(silver.HeaderBronzeSeq), 10, 64)
	if err != nil || seq == 0 {
		return l, false
	}
	position, err := strconv.ParseUint(header.Get(streams.HeaderPosition), 10, 64)
	if err != nil {
		return l, false
	}
	workflow := header.Get(silver.HeaderWorkflow)
	l.ID, l.Workflow = ID{seq, position}, streams.UnescapeHeader(workflow)
	for i, part := range [...][]byte{
		[]byte(subject), []byte(header.Get(streams.HeaderStream)), []byte(workflow), []byte(header.Get(silver.HeaderReason)), body,
	} {
		sum := sha256.Sum256(part)
		l.signature[i] = binary.BigEndian.Uint64(sum[:])
	}
	return l, true
}

// differing names the parts in which two letters differ.
func (s signature) differing(other signature) (names []string) {
	for i, name := range parts {
		if s[i] != other[i] {
			names = append(names, name)
		}
	}
	return names
}
