package edge

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/nats-io/nats.go"

	"assay/streams"
)

// ContentForward is the content type of a body with forwarded frames, each behind its length in four bytes, the lowest first: a line
// with its subject, its headers as NATS writes them, and its body.
const ContentForward = "application/vnd.assay.forward"

const headersBegin = "NATS/1.0\r\n"

// bodyBytesMax bounds a body: a batch, or the largest frame that a log takes, and what is written around them.
const bodyBytesMax = streams.FetchBytesMax + 4<<20

func appendMsg(dst []byte, m *nats.Msg) []byte {
	begin := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = append(dst, m.Subject+"\r\n"+headersBegin...)
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		for _, value := range m.Header[name] {
			dst = append(dst, name+": "+value+"\r\n"...)
		}
	}
	dst = append(append(dst, "\r\n"...), m.Data...)
	binary.LittleEndian.PutUint32(dst[begin:], uint32(len(dst)-begin-4))
	return dst
}

// readMsgs reads messages until the body ends. Errors wrap ErrBody or are the reader's.
func readMsgs(r io.Reader) (msgs []*nats.Msg, err error) {
	for {
		var length [4]byte
		if _, err := io.ReadFull(r, length[:]); errors.Is(err, io.EOF) {
			return msgs, nil
		} else if err != nil {
			return nil, fmt.Errorf("%w: it breaks off: %w", ErrBody, err)
		}
		if len(msgs) == streams.EdgeBatchMax {
			return nil, fmt.Errorf("%w: more than %d frames", ErrBody, streams.EdgeBatchMax)
		}
		var data bytes.Buffer // which grows with what comes, not with what is announced
		if _, err := io.CopyN(&data, r, int64(binary.LittleEndian.Uint32(length[:]))); err != nil {
			return nil, fmt.Errorf("%w: it breaks off: %w", ErrBody, err)
		}
		m, err := parseMsg(data.Bytes())
		if err != nil {
			return nil, err
		}
		msgs = append(msgs, m)
	}
}

func parseMsg(data []byte) (*nats.Msg, error) {
	subject, rest, found := bytes.Cut(data, []byte("\r\n"))
	end := bytes.Index(rest, []byte("\r\n\r\n"))
	if !found || end < 0 {
		return nil, fmt.Errorf("%w: a frame has no subject, or its headers no end", ErrBody)
	}
	end += len("\r\n\r\n")
	header, err := nats.DecodeHeadersMsg(rest[:end])
	if err != nil {
		return nil, fmt.Errorf("%w: the headers of a frame: %w", ErrBody, err)
	}
	return &nats.Msg{Subject: string(subject), Header: header, Data: rest[end:]}, nil
}
