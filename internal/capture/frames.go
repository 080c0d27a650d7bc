package capture

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"assay/internal/capture/framing"
	"assay/streams"
)

// ContentFrames is the content type of a body that holds frames of any streams, each as AppendFrame renders it behind its
// length in four bytes, the lowest first.
const ContentFrames = "application/vnd.assay.frames"

// Limits of one request with frames.
const (
	framesMax      = 256
	framesBytesMax = 1 << 20 // unless it is one frame
)

// AppendFrame appends a frame to dst: all but its body as JSON, a line feed, and the body.
func AppendFrame(dst []byte, f *streams.Frame) ([]byte, error) {
	described := *f
	described.Body = nil
	header, err := json.Marshal(described)
	if err != nil {
		return dst, fmt.Errorf("capture: %w", err)
	}
	return append(append(append(dst, header...), '\n'), f.Body...), nil
}

// ParseFrame is the inverse of AppendFrame. The frame's body aliases data. Errors wrap ErrRequest.
func ParseFrame(data []byte) (*streams.Frame, error) {
	header, body, ok := bytes.Cut(data, []byte{'\n'})
	f := new(streams.Frame)
	if err := json.Unmarshal(header, f); err != nil || !ok {
		return nil, fmt.Errorf("%w: a frame begins with a line of JSON (%w)", ErrRequest, err)
	}
	f.Body = body
	return f, nil
}

// frames takes a body of ContentFrames, whatever its content type says, and answers how many of them are in the log.
func (h *Handler) frames(w http.ResponseWriter, r *http.Request) {
	taken, err := h.takeFrames(w, r)
	answer := &Answer{Frames: len(taken)}
	for _, ack := range taken {
		answer.Sequence = max(answer.Sequence, ack.Seq)
	}
	if err != nil {
		refuse(w, err, answer)
		return
	}
	reply(w, http.StatusOK, answer)
}

func (h *Handler) takeFrames(w http.ResponseWriter, r *http.Request) ([]streams.Ack, error) {
	body := h.patient(w, r)
	defer body.Close()
	frames, size, err := h.readFrames(body)
	if err != nil {
		return nil, err
	}
	ctx, cancel := outlive(r.Context())
	defer cancel()
	if err := h.inFlight.acquire(ctx, size); err != nil {
		return nil, err
	}
	defer h.inFlight.release(size)
	return h.opts.Publisher.Publish(ctx, frames...)
}

// readFrames reads frames until the body ends, and their size.
func (h *Handler) readFrames(body io.Reader) (frames []*streams.Frame, size int, err error) {
	limit := max(framesBytesMax, h.opts.Limits.EventBytes+h.opts.Limits.FrameBytes)
	for {
		var length [4]byte
		if _, err := io.ReadFull(body, length[:]); errors.Is(err, io.EOF) {
			return frames, size, nil
		} else if err != nil {
			return nil, 0, err
		}
		n := binary.LittleEndian.Uint32(length[:])
		if len(frames) == framesMax || int64(size)+int64(n) > int64(limit) {
			return nil, 0, fmt.Errorf("%w: more than %d frames or %d bytes in one request", ErrTooLong, framesMax, limit)
		}
		var data bytes.Buffer // which grows with what comes, not with what is announced
		if _, err := io.CopyN(&data, body, int64(n)); err != nil {
			return nil, 0, noEOF(err)
		}
		f, err := h.readFrame(data.Bytes())
		if err != nil {
			return nil, 0, err
		}
		frames, size = append(frames, f), size+int(n)
	}
}

func (h *Handler) readFrame(data []byte) (*streams.Frame, error) {
	f, err := ParseFrame(data)
	if err != nil {
		return nil, err
	}
	if _, err := framing.FormatOf(f.ContentType); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMedia, err)
	}
	if f.Workflow == "" || len(f.Workflow) > idBytesMax || f.Stream == "" || len(f.Stream) > idBytesMax || f.Count > framing.EventsMax {
		return nil, fmt.Errorf("%w: a frame of stream %.40q: workflow and stream must have 1 to %d bytes, and it at most %d events",
			ErrRequest, f.Stream, idBytesMax, framing.EventsMax)
	}
	if f.Shed = 0; h.opts.Shed != nil {
		f.Shed = h.opts.Shed()
	}
	return f, nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
