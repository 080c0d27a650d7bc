package framing

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
)

// A message of AWS's event stream, all numbers big-endian:
//
//	total length (4) │ length of headers (4) │ CRC of both (4) │ headers │ payload │ CRC of all before (4)
const (
	messagePrelude  = 12
	messageBytesMin = messagePrelude + 4
)

// ErrMessage means that bytes are no message of an event stream, or a damaged one.
var ErrMessage = errors.New("framing: no message of an event stream")

// IsEventStream reports whether an input begins with a message of AWS's event stream. That another does has odds of one in 2³².
func IsEventStream(first []byte) bool {
	return len(first) >= messageBytesMin && binary.BigEndian.Uint32(first) >= messageBytesMin &&
		crc32.ChecksumIEEE(first[:8]) == binary.BigEndian.Uint32(first[8:])
}

// messages yields the messages of a body. What is behind the last whole one counts as one, too.
func messages(body []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(body) > 0 {
			end := len(body)
			if len(body) >= 4 {
				if total := binary.BigEndian.Uint32(body); total >= messageBytesMin && uint64(total) < uint64(end) {
					end = int(total)
				}
			}
			if !yield(body[:end]) {
				return
			}
			body = body[end:]
		}
	}
}

// scanEventStream looks for the end of a message, whose length is in its first four bytes. After what cannot be a length the rest
// of the stream is one unit.
func (s *Splitter) scanEventStream(chunk []byte, start int) (end int, ended bool) {
	i := start
	for ; s.have < 4 && i < len(chunk); i++ {
		s.total = s.total<<8 | uint64(chunk[i])
		s.have++
	}
	if s.have < 4 || s.total < messageBytesMin {
		return len(chunk), false
	}
	left := s.total - s.have
	if here := uint64(len(chunk) - i); here < left {
		s.have += here
		return len(chunk), false
	}
	s.have, s.total = 0, 0
	return i + int(left), true
}

// Message is one message of AWS's event stream. Its slices alias what it was parsed from.
type Message struct {
	Type    []byte // :event-type, or :exception-type of an exception
	Error   []byte // :error-message, of what failed without a payload
	Payload []byte
}

// Types of headers' values.
const (
	headerTrue = iota
	headerFalse
	headerByte
	headerShort
	headerInt
	headerLong
	headerBytes
	headerString
	headerTimestamp
	headerUUID
)

// headerLens are the lengths of values that have always the same.
var headerLens = map[byte]int{
	headerTrue: 0, headerFalse: 0, headerByte: 1, headerShort: 2, headerInt: 4, headerLong: 8, headerTimestamp: 8, headerUUID: 16,
}

// ParseMessage reads one message. Its error wraps ErrMessage.
func ParseMessage(raw []byte) (m Message, err error) {
	if len(raw) < messageBytesMin {
		return m, fmt.Errorf("%w: it was cut off after %d bytes", ErrMessage, len(raw))
	}
	total, headers := uint64(binary.BigEndian.Uint32(raw)), uint64(binary.BigEndian.Uint32(raw[4:]))
	switch {
	case crc32.ChecksumIEEE(raw[:8]) != binary.BigEndian.Uint32(raw[8:]):
		return m, fmt.Errorf("%w: the checksum of its lengths is wrong", ErrMessage)
	case total != uint64(len(raw)):
		return m, fmt.Errorf("%w: it was cut off after %d of %d bytes", ErrMessage, len(raw), total)
	case headers > total-messageBytesMin:
		return m, fmt.Errorf("%w: its headers are longer than itself", ErrMessage)
	case crc32.ChecksumIEEE(raw[:total-4]) != binary.BigEndian.Uint32(raw[total-4:]):
		return m, fmt.Errorf("%w: its checksum is wrong", ErrMessage)
	}
	m.Payload = raw[messagePrelude+headers : total-4]
	for rest := raw[messagePrelude : messagePrelude+headers]; len(rest) > 0; {
		var name, value []byte
		if name, value, rest, err = header(rest); err != nil {
			return m, err
		}
		switch string(name) {
		case ":event-type", ":exception-type":
			m.Type = value
		case ":error-code":
			if m.Type == nil {
				m.Type = value
			}
		case ":error-message":
			m.Error = value
		}
	}
	return m, nil
}

// header reads one header and returns what follows it.
func header(b []byte) (name, value, rest []byte, err error) {
	cut := fmt.Errorf("%w: a header is cut off", ErrMessage)
	if len(b) < 1 || len(b) < 2+int(b[0]) {
		return nil, nil, nil, cut
	}
	name, typ, rest := b[1:1+b[0]], b[1+b[0]], b[2+b[0]:]
	n, fixed := headerLens[typ]
	switch {
	case fixed:
	case typ != headerBytes && typ != headerString:
		return nil, nil, nil, fmt.Errorf("%w: header %q has a value of unknown type %d", ErrMessage, bytes.ToValidUTF8(name, nil), typ)
	case len(rest) < 2:
		return nil, nil, nil, cut
	default:
		n, rest = int(binary.BigEndian.Uint16(rest)), rest[2:]
	}
	if len(rest) < n {
		return nil, nil, nil, cut
	}
	return name, rest[:n], rest[n:], nil
}
