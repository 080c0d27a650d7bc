package framing

import "bytes"

// lineEnds finds line terminators in data. It remembers the next LF and the next CR, so that a stream that uses only
// one of them is still scanned for the other just once.
type lineEnds struct {
	data   []byte
	lf, cr int // first LF and CR at or after the last search; len(data) if there is none; -1 not searched yet
}

func newLineEnds(data []byte) lineEnds { return lineEnds{data: data, lf: -1, cr: -1} }

// next returns the index of the first CR or LF at or after i, len(data) if there is none.
func (l *lineEnds) next(i int) int {
	if l.lf < i {
		l.lf = indexFrom(l.data, i, '\n')
	}
	if l.cr < i {
		l.cr = indexFrom(l.data, i, '\r')
	}
	return min(l.lf, l.cr)
}

// after returns the index behind the terminator at i: a CR and the LF that follows it are one.
func (l *lineEnds) after(i int) int {
	if l.data[i] == '\r' && i+1 < len(l.data) && l.data[i+1] == '\n' {
		return i + 2
	}
	return i + 1
}

func indexFrom(data []byte, i int, c byte) int {
	if n := bytes.IndexByte(data[i:], c); n >= 0 {
		return i + n
	}
	return len(data)
}
