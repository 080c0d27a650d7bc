package kernels

// stripRows is how many rows' messages are written before they are hashed. Hashing a message right after its pieces were
// written would stall the processor, which cannot load across stores still under way; and few fit the nearest cache.
const stripRows = 24

// strip holds a message a row, a few rows at a time: write to text and end each row, then hash the messages.
//
//	for s := newStrip(rows); s.next(); {
//		for row := s.first; row < s.last; row++ {
//			s.text = append(s.text, …) // or nothing, for a row without a message
//			s.end()
//		}
//		for row := s.first; row < s.last; row++ {
//			message := s.message(row)
//		}
//	}
type strip struct {
	rows        int
	first, last int
	text        []byte             // messages, one after the other
	ends        [stripRows + 1]int // of the messages; ends[0] is 0
	ended       int                // rows ended in this strip
}

func newStrip(rows int) *strip { return &strip{rows: rows} }

// next moves to the next rows, if there are any.
func (s *strip) next() bool {
	s.first = s.last
	s.last = min(s.first+stripRows, s.rows)
	s.text, s.ended = s.text[:0], 0
	return s.first < s.last
}

// end ends the row being written.
func (s *strip) end() {
	s.ended++
	s.ends[s.ended] = len(s.text)
}

// message returns what was written for a row, nothing if nothing was.
func (s *strip) message(row int) []byte {
	i := row - s.first
	return s.text[s.ends[i]:s.ends[i+1]]
}
