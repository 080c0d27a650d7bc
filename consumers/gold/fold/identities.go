package fold

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
)

// HighWatermark returns what is known of a stream, a new one if it was not met before.
func (f *Tx) HighWatermark(stream uint64) (*model.HighWatermark, error) {
	if o := f.watermarks[stream]; o != nil {
		return o, nil
	}
	o, err := state.Load(f.seeker, model.NumberKey(model.KeyWatermark, stream), model.DecodeHighWatermark)
	if err != nil {
		return nil, err
	}
	if o == nil {
		o = &model.HighWatermark{Ordinal: f.progress.NextOrdinal()}
	}
	f.watermarks[stream] = o
	return o, nil
}

// writeWatermarks stores how far the streams of the group have come.
func (f *Tx) writeWatermarks() (err error) {
	for stream, o := range f.watermarks {
		if !o.Known || o.Reached > o.Before {
			err = errors.Join(err, f.Set(model.NumberKey(model.KeyWatermark, stream), o.Encode()))
		}
	}
	return err
}

// note remembers an event in its block.
func (f *Tx) note(b model.IDBlock, event uuid.UUID, known *model.Identity) {
	record := f.blocks[b]
	if record == nil {
		record = new(model.Encoder)
		f.blocks[b] = record
	}
	record.Placed(event, known)
}

func (f *Tx) writeBlocks() (err error) {
	for b, record := range f.blocks {
		err = errors.Join(err, f.Set(binary.BigEndian.AppendUint64(b.Prefix(), f.progress.Generation), *record))
	}
	return err
}

// loadIdentities reads the identities of those of a group's events that are named by their place and were met before. Most groups
// bring nothing but new events, as the high watermarks of their streams tell. The blocks of the others are read in one pass.
func (f *Tx) loadIdentities(group []model.Columns) error {
	wanted, blocks, err := f.maybeSeen(group)
	if err != nil || len(blocks) == 0 {
		return err
	}
	it, err := f.DB.NewIter(&pebble.IterOptions{LowerBound: []byte{model.KeyIdentity}, UpperBound: []byte{model.KeyIdentity + 1}})
	if err != nil {
		return state.Wrap("scan", err)
	}
	defer it.Close()
	for _, b := range blocks {
		prefix := b.Prefix()
		for ok := it.SeekGE(prefix); ok && bytes.HasPrefix(it.Key(), prefix); ok = it.Next() {
			record, err := it.ValueAndErr()
			if err != nil {
				return state.Wrap("scan", err)
			}
			err = model.EachPlaced(record, func(event uuid.UUID, known *model.Identity) {
				if wanted[event] {
					f.Recognise(event, known)
				}
			})
			if err != nil {
				return err
			}
		}
	}
	return state.Wrap("scan", it.Error())
}

// Recognise notes what a block says of an event. A later record may say more of it: that it was kept after all.
func (f *Tx) Recognise(event uuid.UUID, known *model.Identity) {
	if was := f.Identities[event]; was == nil || model.RankDisposition(known.Disposition) > model.RankDisposition(was.Disposition) {
		f.Identities[event] = known
	}
}

// maybeSeen returns those of a group's events that are named by their place and may have been met before, and their blocks
// in the order of their keys.
func (f *Tx) maybeSeen(group []model.Columns) (events map[uuid.UUID]bool, blocks []model.IDBlock, err error) {
	events = map[uuid.UUID]bool{}
	var ev model.Event
	for i := range group {
		c := &group[i]
		for row := range c.ID.Len() {
			if c.Identify(row, &ev); ev.OwnID {
				continue
			}
			from, err := f.HighWatermark(ev.Offset.Stream)
			if err != nil {
				return nil, nil, err
			}
			if !from.MayHave(ev.Position) {
				continue
			}
			events[ev.ID] = true
			if b := model.IDBlockOf(from, &ev); len(blocks) == 0 || blocks[len(blocks)-1] != b {
				blocks = append(blocks, b)
			}
		}
	}
	slices.SortFunc(blocks, model.IDBlock.Compare)
	return events, slices.Compact(blocks), nil
}
