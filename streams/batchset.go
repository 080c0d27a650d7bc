package streams

import "github.com/nats-io/nats.go"

// batchSet is a batch without repetitions: the server refuses a batch that has one message id twice.
type batchSet struct {
	entries []*entry
	places  []int // of each entry's message in msgs; -1: not sent, because an earlier frame of its receipt has failed
	msgs    []*nats.Msg
}

func newBatchSet(entries []*entry) *batchSet {
	s := &batchSet{entries: entries, places: make([]int, len(entries)), msgs: make([]*nats.Msg, 0, len(entries))}
	seen := make(map[string]int, len(entries))
	for i, e := range entries {
		place, repeated := seen[e.id]
		switch {
		case e.receipt.failedBefore(e.index) != nil:
			place = -1
		case !repeated:
			place = len(s.msgs)
			seen[e.id] = place
			s.msgs = append(s.msgs, e.msg)
		}
		s.places[i] = place
	}
	return s
}

// outcomes spreads the acknowledgements of the first messages over the entries; those without one get the zero Ack.
func (s *batchSet) outcomes(acks []Ack) []Ack {
	taken := make([]bool, len(acks))
	out := make([]Ack, len(s.entries))
	for i, place := range s.places {
		if place < 0 || place >= len(acks) {
			continue
		}
		out[i] = acks[place]
		out[i].Duplicate = out[i].Duplicate || taken[place]
		taken[place] = true
	}
	return out
}

// settle tells each entry's receipt its outcome; err is why the zero ones are so.
func (s *batchSet) settle(outcomes []Ack, err error) {
	for i, e := range s.entries {
		switch {
		case outcomes[i].Seq > 0:
			e.receipt.settle(e.index, outcomes[i], nil)
		case s.places[i] < 0:
			e.receipt.settle(e.index, Ack{}, e.receipt.failedBefore(e.index))
		default:
			e.receipt.settle(e.index, Ack{}, err)
		}
	}
}
