package gold

import "errors"

// origin is what is known of a stream whose events are named by their place. A position that was never reached needs no
// look-up, and nearly every event has such a one.
type origin struct {
	ordinal uint64
	known   bool   // something of it was committed
	reached uint64 // the greatest position, those of the group included
	before  uint64 // the greatest position committed
}

// mayHave tells whether an event with a position may have been committed.
func (o *origin) mayHave(position uint64) bool { return o.known && position <= o.before }

// meet notes that the group has an event with a position.
func (o *origin) meet(position uint64) { o.reached = max(o.reached, position) }

func (o *origin) encode() []byte {
	w := make(encoder, 0, 16)
	w.uint(o.ordinal)
	w.uint(o.reached)
	return w
}

func decodeOrigin(record []byte) (*origin, error) {
	d := decoder{rest: record}
	o := &origin{ordinal: d.uint(), known: true, reached: d.uint()}
	o.before = o.reached
	return o, d.end()
}

// origin returns what is known of a stream, a new one if it was not met before.
func (f *folding) origin(stream uint64) (*origin, error) {
	if o := f.origins[stream]; o != nil {
		return o, nil
	}
	o, err := load(f.seeker, numberKey(keyOrigin, stream), decodeOrigin)
	if err != nil {
		return nil, err
	}
	if o == nil {
		o = &origin{ordinal: f.progress.nextOrdinal()}
	}
	f.origins[stream] = o
	return o, nil
}

// writeOrigins stores how far the streams of the group have come.
func (f *folding) writeOrigins() (err error) {
	for stream, o := range f.origins {
		if !o.known || o.reached > o.before {
			err = errors.Join(err, f.set(numberKey(keyOrigin, stream), o.encode()))
		}
	}
	return err
}
