package gold

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"
)

// blockPositions is how many positions of a stream make up a block. A group that brings events again reads their blocks.
const blockPositions = 256

// block is where events that are named by their place are remembered: the stream, by its ordinal, and a part of its
// positions. Each commit that has events of the block adds a record to it: their ids and identities.
type block struct{ ordinal, number uint64 }

func blockOf(from *origin, ev *event) block { return block{from.ordinal, ev.position / blockPositions} }

// prefix is that of the keys of the block's records, which end with the generation of the commit.
func (b block) prefix() []byte {
	return binary.BigEndian.AppendUint64(numberKey(keyIdentity, ^b.ordinal), b.number)
}

// compare orders blocks as their prefixes are.
func (b block) compare(c block) int {
	return cmp.Or(cmp.Compare(c.ordinal, b.ordinal), cmp.Compare(b.number, c.number))
}

// note remembers an event in its block.
func (f *folding) note(b block, event uuid.UUID, known *identity) {
	record := f.blocks[b]
	if record == nil {
		record = new(encoder)
		f.blocks[b] = record
	}
	record.placed(event, known)
}

func (f *folding) writeBlocks() (err error) {
	for b, record := range f.blocks {
		err = errors.Join(err, f.set(binary.BigEndian.AppendUint64(b.prefix(), f.progress.generation), *record))
	}
	return err
}

func (e *encoder) placed(event uuid.UUID, known *identity) {
	e.id(event)
	e.identity(known)
}

// eachPlaced passes the events of a block's record to use.
func eachPlaced(record []byte, use func(event uuid.UUID, known *identity)) error {
	d := decoder{rest: record}
	for len(d.rest) > 0 {
		event, known := d.id(), d.identity()
		if d.err == nil {
			use(event, known)
		}
	}
	return d.err
}

// recall reads the identities of those of a group's events that are named by their place and were met before. Most groups
// bring nothing but new events, as the origins of their streams tell. The blocks of the others are read in one pass.
func (f *folding) recall(group []columns) error {
	wanted, blocks, err := f.metBefore(group)
	if err != nil || len(blocks) == 0 {
		return err
	}
	it, err := f.g.state.db.NewIter(&pebble.IterOptions{LowerBound: []byte{keyIdentity}, UpperBound: []byte{keyIdentity + 1}})
	if err != nil {
		return stateError("scan", err)
	}
	defer it.Close()
	for _, b := range blocks {
		prefix := b.prefix()
		for ok := it.SeekGE(prefix); ok && bytes.HasPrefix(it.Key(), prefix); ok = it.Next() {
			record, err := it.ValueAndErr()
			if err != nil {
				return stateError("scan", err)
			}
			err = eachPlaced(record, func(event uuid.UUID, known *identity) {
				if wanted[event] {
					f.recognise(event, known)
				}
			})
			if err != nil {
				return err
			}
		}
	}
	return stateError("scan", it.Error())
}

// recognise notes what a block says of an event. A later record may say more of it: that it was kept after all.
func (f *folding) recognise(event uuid.UUID, known *identity) {
	if was := f.identities[event]; was == nil || rankDisposition(known.disposition) > rankDisposition(was.disposition) {
		f.identities[event] = known
	}
}

// metBefore returns those of a group's events that are named by their place and may have been met before, and their blocks
// in the order of their keys.
func (f *folding) metBefore(group []columns) (events map[uuid.UUID]bool, blocks []block, err error) {
	events = map[uuid.UUID]bool{}
	var ev event
	for i := range group {
		c := &group[i]
		for row := range c.id.Len() {
			if c.identify(row, &ev); ev.ownID {
				continue
			}
			from, err := f.origin(ev.place.stream)
			if err != nil {
				return nil, nil, err
			}
			if !from.mayHave(ev.position) {
				continue
			}
			events[ev.id] = true
			if b := blockOf(from, &ev); len(blocks) == 0 || blocks[len(blocks)-1] != b {
				blocks = append(blocks, b)
			}
		}
	}
	slices.SortFunc(blocks, block.compare)
	return events, slices.Compact(blocks), nil
}
