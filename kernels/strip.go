package kernels

import (
	"crypto/sha1"
	"encoding"
	"encoding/binary"
	"hash"
	"slices"
)

// stripRows is how many rows' messages are written before they are hashed. Hashing a message right after its pieces were
// written would stall the processor, which cannot load across stores still under way; and few fit the nearest cache.
const stripRows = 64

// strip hashes a message a row, a few rows at a time: write to text and end each row, then take the digests.
//
//	for s := newStrip(rows); s.next(); {
//		for row := s.first; row < s.last; row++ {
//			s.text = append(s.text, …)   // or nothing, for a row without a message
//			s.end()
//		}
//		for row := s.first; row < s.last; row++ {
//			digest := s.digest(row)      // nil for a row without a message
//		}
//	}
//
// It pads the messages itself, as RFC 3174 says, and reads the digest from the hash's binary state. That is because for
// messages of one block, as keys are, sha1.Sum spends a third of its time on copying to do the same.
type strip struct {
	rows        int
	first, last int
	text        []byte             // messages, each padded to whole blocks but for the one being written
	ends        [stripRows + 1]int // of the padded messages; ends[0] is 0
	ended       int                // rows ended in this strip
	hash        stateHash
	state       [stateBytes]byte
}

// The binary state of sha1's hash: a tag, then the five words of the digest, then what waits for a block to fill.
const (
	stateTag   = "sha\x01"
	stateBytes = len(stateTag) + sha1.Size + sha1.BlockSize + 8
)

type stateHash interface {
	hash.Hash
	encoding.BinaryAppender
}

func newStrip(rows int) *strip { return &strip{rows: rows, hash: sha1.New().(stateHash)} }

// next moves to the next rows, if there are any.
func (s *strip) next() bool {
	s.first = s.last
	s.last = min(s.first+stripRows, s.rows)
	s.text, s.ended = s.text[:0], 0
	return s.first < s.last
}

// end ends the row being written.
func (s *strip) end() {
	start, end := s.ends[s.ended], len(s.text)
	if start < end {
		const lengthBytes = 8
		blocks := (end - start + 1 + lengthBytes + sha1.BlockSize - 1) / sha1.BlockSize
		padded := start + blocks*sha1.BlockSize
		s.text = slices.Grow(s.text, padded-end)[:padded]
		clear(s.text[end:])
		s.text[end] = 0x80
		binary.BigEndian.PutUint64(s.text[padded-lengthBytes:], uint64(end-start)*8)
	}
	s.ended++
	s.ends[s.ended] = len(s.text)
}

// digest returns the SHA-1 of a row's message, valid until the next call, or nil if the row has none.
func (s *strip) digest(row int) []byte {
	i := row - s.first
	message := s.text[s.ends[i]:s.ends[i+1]]
	if len(message) == 0 {
		return nil
	}
	s.hash.Reset()
	if _, err := s.hash.Write(message); err != nil {
		panic(err) // as sha1.Sum does where Go is told to refuse SHA-1 (GODEBUG=fips140=only)
	}
	state, err := s.hash.AppendBinary(s.state[:0])
	if err != nil || string(state[:len(stateTag)]) != stateTag {
		panic("kernels: this Go release keeps the state of SHA-1 in another form")
	}
	return state[len(stateTag):][:sha1.Size]
}
