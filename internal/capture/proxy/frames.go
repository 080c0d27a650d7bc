package proxy

import "encoding/binary"

// wsFrames takes the bytes of one direction of a WebSocket as they pass, cut anywhere, and finds its messages, as RFC 6455 has them.
// Extensions, such as compression, are not agreed on through a proxy.
type wsFrames struct {
	limit   int // of a message, in bytes
	pending []byte

	message  []byte // fragments so far
	text     bool
	large    bool   // the message exceeds the limit, and is passed over
	skipping uint64 // bytes of a large frame still to come
	final    bool   // that frame is the last of its message
	broken   bool   // what came is no WebSocket
}

// wsMessage is a whole message, or that one was too large.
type wsMessage struct {
	data  []byte
	text  bool
	large bool
}

// Operation codes of frames.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opControl      = 8 // and above
)

// take takes the next bytes and returns the messages that end in them. Their bytes are the caller's.
func (f *wsFrames) take(data []byte) (messages []wsMessage) {
	if f.broken {
		return nil
	}
	f.pending = append(f.pending, data...)
	for {
		if f.skipping > 0 {
			n := min(f.skipping, uint64(len(f.pending)))
			f.pending, f.skipping = f.pending[n:], f.skipping-n
			if f.skipping > 0 {
				break
			}
			if f.final {
				messages = append(messages, f.end())
			}
		}
		m, ok := f.frame()
		if !ok {
			break
		}
		if m != nil {
			messages = append(messages, *m)
		}
	}
	f.pending = append([]byte(nil), f.pending...) // does not hold on to what was taken
	return messages
}

// frame takes one frame off the pending bytes. It is not ok if that has not wholly come; the message is nil if it goes on.
func (f *wsFrames) frame() (message *wsMessage, ok bool) {
	b := f.pending
	if len(b) < 2 {
		return nil, false
	}
	final, op, masked := b[0]&0x80 != 0, b[0]&0x0f, b[1]&0x80 != 0
	if b[0]&0x70 != 0 || op > opBinary && op < opControl {
		f.broken, f.pending, f.message = true, nil, nil
		return nil, false
	}
	length, at := uint64(b[1]&0x7f), 2
	switch length {
	case 126:
		if len(b) < 4 {
			return nil, false
		}
		length, at = uint64(binary.BigEndian.Uint16(b[2:])), 4
	case 127:
		if len(b) < 10 {
			return nil, false
		}
		length, at = binary.BigEndian.Uint64(b[2:]), 10
	}
	var mask []byte
	if masked {
		if len(b) < at+4 {
			return nil, false
		}
		mask, at = b[at:at+4], at+4
	}
	if op < opControl && uint64(len(f.message))+length > uint64(f.limit) {
		f.begin(op)
		f.large, f.message = true, nil
		f.pending, f.skipping, f.final = b[at:], length, final
		if length == 0 && final {
			m := f.end()
			return &m, true
		}
		return nil, true
	}
	if uint64(len(b)-at) < length {
		return nil, false
	}
	payload := b[at : at+int(length)]
	f.pending = b[at+int(length):]
	if op >= opControl {
		return nil, true
	}
	f.begin(op)
	if !f.large {
		f.message = appendUnmasked(f.message, payload, mask)
	}
	if !final {
		return nil, true
	}
	m := f.end()
	return &m, true
}

func (f *wsFrames) begin(op byte) {
	if op != opContinuation {
		f.message, f.large, f.text = nil, false, op == opText
	}
}

func (f *wsFrames) end() wsMessage {
	m := wsMessage{f.message, f.text, f.large}
	f.message, f.large, f.final = nil, false, false
	return m
}

func appendUnmasked(dst, payload, mask []byte) []byte {
	if mask == nil {
		return append(dst, payload...)
	}
	for i, c := range payload {
		dst = append(dst, c^mask[i&3])
	}
	return dst
}
