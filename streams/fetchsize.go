package streams

// FetchSize says how many messages to ask for at a time so that together they have about Bytes, going by the size of those
// that came before. (What jetstream.FetchMaxBytes limits may never be below the largest message, which is far too much for
// the usual ones.)
type FetchSize struct {
	Bytes int // of one fetch, about
	Max   int // messages of one fetch
	next  int
}

// Messages is how many to ask for; at first, one.
func (s *FetchSize) Messages() int { return max(1, s.next) }

// Got notes what a fetch has brought.
func (s *FetchSize) Got(messages, bytes int) {
	if messages > 0 {
		s.next = min(s.Bytes*messages/max(1, bytes), s.Max)
	}
}
