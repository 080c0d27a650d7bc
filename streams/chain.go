package streams

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// The chain makes it evident when frames of BRONZE are changed, removed or put in between. Each frame has a link:
//
//	link(n) = SHA-256( link(n-1) ‖ sequence ‖ subject ‖ headers ‖ body )
//
// Links are not stored, because each follows from the one before; checkpoints are. docs/audit.md says what that shows.

// ChainEvery is how many frames lie between two checkpoints that are kept.
const ChainEvery = 1024

// Link is the end of a chain of frames.
type Link [sha256.Size]byte

// genesis is the link before the first frame.
var genesis = Link(sha256.Sum256([]byte("assay chain 1 " + StreamBronze)))

// String is the link in hexadecimal.
func (l Link) String() string { return hex.EncodeToString(l[:]) }

// MarshalText implements encoding.TextMarshaler.
func (l Link) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Link) UnmarshalText(text []byte) error {
	n, err := hex.Decode(l[:], text[:min(len(text), hex.EncodedLen(len(l)))])
	if err != nil || n != len(l) || len(text) != hex.EncodedLen(len(l)) {
		return fmt.Errorf("streams: %q is no link of a chain: give %d hexadecimal digits", text, hex.EncodedLen(len(l)))
	}
	return nil
}

// next returns the link of a frame.
func (l Link) next(m Message) Link {
	h := sha256.New()
	var number [8]byte
	write := func(part []byte) { // with its length before it, so that parts cannot run into each other
		h.Write(binary.BigEndian.AppendUint64(number[:0], uint64(len(part))))
		h.Write(part)
	}
	h.Write(l[:])
	h.Write(binary.BigEndian.AppendUint64(number[:0], m.Seq))
	write([]byte(m.Subject))
	for _, line := range chained(m.Header) {
		write([]byte(line))
	}
	write(m.Data)
	h.Sum(l[:0])
	return l
}

// chained returns the headers that say something about a frame, in a fixed order: not those of its transport.
func chained(header nats.Header) (lines []string) {
	for name, values := range header {
		if name == HeaderContentType || name == nats.MsgIdHdr || strings.HasPrefix(name, "Assay-") {
			for _, v := range values {
				lines = append(lines, name+":"+v)
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// Checkpoint is the state of the chain after a frame.
type Checkpoint struct {
	Seq    uint64    `json:"seq"` // of the frame
	Link   Link      `json:"link"`
	Frames uint64    `json:"frames"` // up to it, also those that have left the log since
	Events uint64    `json:"events"`
	Bytes  uint64    `json:"bytes"` // of the bodies
	At     time.Time `json:"at"`    // when the log stored the frame
}

// extend returns the checkpoint after one more frame.
func (c Checkpoint) extend(m Message) Checkpoint {
	return Checkpoint{
		Seq: m.Seq, Link: c.Link.next(m), Frames: c.Frames + 1,
		Events: c.Events + parseUint(m.Header.Get(HeaderCount), 1), Bytes: c.Bytes + uint64(m.Bytes), At: m.Time,
	}
}
