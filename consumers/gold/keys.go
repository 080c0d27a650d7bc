package gold

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
	keyEntity   = 'A' // ordinal of entity, slot[, place, event] → what the slot says
	keyIdentity = 'z' // ordinal of stream, block of positions, commit → identities of events that are named by their place

	keyProgress = 'P' // → progress
	keyTotals   = 'T' // → totals
	keyJournal  = 'J' // → sequence of the last record of the journal that the state has

	// What is a function of the set of events alone, as are entities and identities but for their ordinals.
	keyOrdinal  = 'e' // entity → its ordinal
	keyOrigin   = 'o' // stream → origin
	keyOwnID    = 'j' // event → identity, of events that brought an id along
	keyMetric   = 'm' // metric → metric
	keyWorkflow = 'w' // metric, workflow → number of its calls
	keyElement  = 'g' // element → element
	keyTime     = 't' // element, time, position, entity → capability, for a workflow's node
	keyAsked    = 'c' // entity of a message, entity of a tool call that it asks for → nothing
	keySaid     = 'i' // digest of what was said, by whom, entity → its workflow: see said.go
	keyShed     = 's' // shed counter → shed counter
	keyTraces   = 'n' // workflow → what traces has of it

	// Descent and quarantine: see lineage.go.

	// What the tables still lack; see flush.go.
	keyDirty   = 'd' // table, row → mark
	keyHeld    = 'u' // commit → the entities whose rows it holds: see held.go
	keyUnsaid  = 'x' // entity → nothing: what it says is to be noted under keySaid
	keyWritten = 'v' // small table, row → that the table may have the row
)

// Slots of an entity.
const (
	slotFragments = 'f' // place, event → a passage of its text, whose first piece is that of the event
	slotRequest   = 'q' // the event that opened it
	slotResult    = 'r' // the event that closed it, or the last that did neither
	slotExchange  = 'x' // how the HTTP exchange ended that it was
	slotSaid      = 'u' // digests of what it says, as keySaid has them
	slotState     = 's' // the entity

	// How many rows of it the tables may have, where it differs from what the entity tells.
	slotInEntities = 'v'
	slotInEpisodes = 'w'
)

func key(kind byte, id uuid.UUID) []byte {
	return append(append(make([]byte, 0, 64), kind), id[:]...)
}

// numberKey is the key, or the prefix of the keys, of what goes by number.
func numberKey(kind byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, 64), kind), number)
}

const numberKeyLen = 1 + 8

func entityKey(ordinal uint64, slot byte) []byte {
	return append(numberKey(keyEntity, ordinal), slot)
}

// place is where an event stands: its stream, by hash because the order among streams does not matter, position, and part of
// the record there.
type place struct {
	stream   uint64
	position uint64
	part     uint32
}

// hashOf is FNV-1a. Names that share a hash only lie closer together.
func hashOf(name string) uint64 {
	hash := uint64(14695981039346656037)
	for i := range len(name) {
		hash = (hash ^ uint64(name[i])) * 1099511628211
	}
	return hash
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.stream, q.stream), cmp.Compare(p.position, q.position), cmp.Compare(p.part, q.part))
}

func (p place) before(q place) bool { return p.compare(q) < 0 }

// moment is the place of a call among the calls of a workflow or any other element of the graph: by time; calls of one
// time, as those of one frame are, by position.
type moment struct {
	at       int64
	position uint64
	entity   uuid.UUID
}

// Lengths in bytes of a time key up to and including the element, and of the whole.
const (
	timePrefixLen = 1 + 16
	timeKeyLen    = timePrefixLen + 8 + 8 + 16
)

func timeKey(element uuid.UUID, m moment) []byte {
	k := key(keyTime, element)
	k = binary.BigEndian.AppendUint64(k, uint64(m.at)^1<<63) // so that times before 1970 sort first
	k = binary.BigEndian.AppendUint64(k, m.position)
	return append(k, m.entity[:]...)
}

func parseMoment(timeKey []byte) (m moment) {
	k := timeKey[timePrefixLen:]
	m.at = int64(binary.BigEndian.Uint64(k) ^ 1<<63)
	m.position = binary.BigEndian.Uint64(k[8:])
	copy(m.entity[:], k[16:])
	return m
}

// after returns the least key greater than every key that starts with the prefix.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < math.MaxUint8 {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}
