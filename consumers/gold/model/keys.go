package model

import (
	"cmp"
	"encoding/binary"
	"math"

	"github.com/google/uuid"
)

// The first byte of a key of the state store says what it is about.
//
// Most of what is stored is under keyEntity and keyIdentity, by ordinal: a number that an entity or a stream gets when it
// is first met. The entities come first of all and go upwards, the identities come last and go downwards, so what is new
// of both lies in the middle, beside all the rest, and what is old is left alone. Keys that begin with an id or a hash
// would fall between all others, and compactions would rewrite the whole store over and over.
//
//	old entities ► new entities │ all the rest │ new identities ◄ old identities
//
// What one commit adds to an entity's text, or to a block of identities, is one record: an event has too little for a
// record of its own, and most of the store's work is per record.
const (
	KeyEntity   = 'A' // ordinal of entity, slot[, place, event] → what the slot says
	KeyIdentity = 'z' // ordinal of stream, block of positions, commit → identities of events that are named by their place

	KeyProgress = 'P' // → progress
	KeyTotals   = 'T' // → totals
	KeyJournal  = 'J' // → sequence of the last record of the journal that the state has

	// What is a function of the set of events alone, as are entities and identities but for their ordinals.
	KeyOrdinal   = 'e' // entity → its ordinal
	KeyWatermark = 'o' // stream → high watermark
	KeyOwnID     = 'j' // event → identity, of events that brought an id along
	KeyMetric    = 'm' // metric → metric
	KeyWorkflow  = 'w' // metric, workflow → number of its calls
	KeyElement   = 'g' // element → element
	KeyTime      = 't' // element, time, position, entity → capability, for a workflow's node
	KeyAsked     = 'c' // entity of a message, entity of a tool call that it asks for → nothing
	KeySaid      = 'i' // digest of what was said, by whom, entity → its workflow: see fold/echoes.go
	KeyShed      = 's' // shed counter → shed counter
	KeyTraces    = 'n' // workflow → what traces has of it

	// Descent and quarantine: see fold/lineage.go.

	// What the tables still lack; see package project.
	KeyDirty   = 'd' // table, row → mark
	KeyHeld    = 'u' // commit → the entities whose rows it holds: see project/held.go
	KeyUnsaid  = 'x' // entity → nothing: what it says is to be noted under keySaid
	KeyWritten = 'v' // small table, row → that the table may have the row
)

// Slots of an entity.
const (
	SlotFragments = 'f' // place, event → a run of its fragments, the first of which are the event's
	SlotRequest   = 'q' // the event that opened it
	SlotResult    = 'r' // the event that closed it, or the last that did neither
	SlotExchange  = 'x' // how the HTTP exchange ended that it was
	SlotSaid      = 'u' // digests of what it says, as keySaid has them
	SlotState     = 's' // the entity

	// How many rows of it the tables may have, where it differs from what the entity tells.
	SlotEntityRows  = 'v'
	SlotEpisodeRows = 'w'
)

// Key is the key, or the prefix of the keys, of what goes by id.
func Key(kind byte, id uuid.UUID) []byte {
	return append(append(make([]byte, 0, 64), kind), id[:]...)
}

// NumberKey is the key, or the prefix of the keys, of what goes by number.
func NumberKey(kind byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, 64), kind), number)
}

// NumberKeyLen is the length in bytes of what NumberKey returns.
const NumberKeyLen = 1 + 8

// EntityKey is the key of a slot of an entity.
func EntityKey(ordinal uint64, slot byte) []byte {
	return append(NumberKey(KeyEntity, ordinal), slot)
}

// Offset is where an event stands: its stream, by hash because the order among streams does not matter, position, and part of
// the record there.
type Offset struct {
	Stream   uint64
	Position uint64
	Part     uint32
}

// HashOf is FNV-1a. Names that share a hash only lie closer together.
func HashOf(name string) uint64 {
	hash := uint64(14695981039346656037)
	for i := range len(name) {
		hash = (hash ^ uint64(name[i])) * 1099511628211
	}
	return hash
}

// Compare orders places: by stream, position, part.
func (p Offset) Compare(q Offset) int {
	return cmp.Or(cmp.Compare(p.Stream, q.Stream), cmp.Compare(p.Position, q.Position), cmp.Compare(p.Part, q.Part))
}

// Before tells whether p comes before q.
func (p Offset) Before(q Offset) bool { return p.Compare(q) < 0 }

// TimeKey is the place of a call among the calls of a workflow or any other element of the graph: by time; calls of one
// time, as those of one frame are, by position.
type TimeKey struct {
	At       int64
	Position uint64
	Entity   uuid.UUID
}

// Lengths in bytes of a time key up to and including the element, and of the whole.
const (
	TimePrefixLen = 1 + 16
	timeKeyLen    = TimePrefixLen + 8 + 8 + 16
)

// appendTime appends a time so that those before 1970 sort first; readTime reads it.
func appendTime(k []byte, at int64) []byte { return binary.BigEndian.AppendUint64(k, uint64(at)^1<<63) }

func readTime(k []byte) int64 { return int64(binary.BigEndian.Uint64(k) ^ 1<<63) }

// EncodeTimeKey is the key of a call among those of an element.
func EncodeTimeKey(element uuid.UUID, m TimeKey) []byte {
	k := Key(KeyTime, element)
	k = appendTime(k, m.At)
	k = binary.BigEndian.AppendUint64(k, m.Position)
	return append(k, m.Entity[:]...)
}

// ParseTimeKey reads what EncodeTimeKey wrote.
func ParseTimeKey(timeKey []byte) (m TimeKey) {
	k := timeKey[TimePrefixLen:]
	m.At = readTime(k)
	m.Position = binary.BigEndian.Uint64(k[8:])
	copy(m.Entity[:], k[16:])
	return m
}

// PrefixEnd returns the least key greater than every key that starts with the prefix.
func PrefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < math.MaxUint8 {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}

// LastID is the last part of every mark's key.
func LastID(key []byte) uuid.UUID { return uuid.UUID(key[len(key)-16:]) }

// KeyAside is where the state remembers which entities it cannot read, each with the reason. They are passed over, so that all
// else goes on; `assay rebuild` makes them anew from the log, and an audit names them.
const KeyAside = 'X'

// An event may take back what others said: see bronze.Retracted. What it names is quarantined, and so is all that descends
// from it. The state keeps this as a graph whose nodes are entities, and events that are named and not met yet:
//
//	event with an id of its own ─► its entity          (its identity has that)
//	what an event names as its cause, or a promotion as its sources ─► the event's entity
//
// A node is quarantined by the first of the retractions, in the total order of events, from which it can be reached. That
// depends on the set of events alone, whatever comes first.
const (
	KeyDescent    = 'l' // node, entity → nothing: the entity descends from the node
	KeyAwaited    = 'a' // event → nothing: something descends from an event that was not met yet
	KeySeed       = 'k' // node, retraction → stamp of the retraction, which names the node
	KeyQuarantine = 'q' // node → stamp of the first retraction from which the node can be reached
	KeyReached    = 'y' // node → stamp of a retraction that has reached it and is still to be passed on
)

// SeedKey is the key that says that a retraction names a node.
func SeedKey(node, retraction uuid.UUID) []byte { return append(Key(KeySeed, node), retraction[:]...) }

// DescentKey is the key that says that an entity descends from a node.
func DescentKey(from, to uuid.UUID) []byte { return append(Key(KeyDescent, from), to[:]...) }
