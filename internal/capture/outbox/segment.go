package outbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"syscall"

	"assay/internal/capture"
	"assay/streams"
)

// A segment is a header and records. The header is a magic and, from that offset on, where the records begin that were not
// sent. A record is the length and the checksum of the rest, four bytes each, and a frame.
const (
	magic        = "ASSAYOB2" // no older file begins with it, for it would be a record that is too long
	sentOffset   = int64(len(magic))
	headerBytes  = sentOffset + 8
	recordHeader = 8
)

// recordBytesMax bounds a record: the largest frame, and its description.
const recordBytesMax = 64 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// segment is a file of frames, in the order of their coming. One process has it, by a lock that ends with the process. It
// is for one goroutine at a time, but for sync.
type segment struct {
	*os.File
	begin int64 // of the oldest record that was not sent
	end   int64
	old   bool // of a version that had no header
}

// createSegment makes an empty segment.
func createSegment(path string) (*segment, error) {
	s, err := lockFile(path, os.O_CREATE|os.O_EXCL)
	if err != nil {
		return nil, err
	}
	s.begin, s.end = headerBytes, headerBytes
	if _, err := s.WriteAt(append([]byte(magic), make([]byte, 8)...), 0); err != nil {
		return nil, errors.Join(fmt.Errorf("outbox: %w", err), s.Close())
	}
	return s, s.keepSent()
}

// openSegment opens a segment that another process has left. It returns nil if one still has it.
func openSegment(path string) (*segment, error) {
	s, err := lockFile(path, 0)
	if s == nil || err != nil {
		return nil, err
	}
	size, err := s.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("outbox: %w", err), s.Close())
	}
	s.end = size
	var header [headerBytes]byte
	if _, err := s.ReadAt(header[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(fmt.Errorf("outbox: %w", err), s.Close())
	}
	if s.old = string(header[:sentOffset]) != magic; !s.old {
		sent := binary.LittleEndian.Uint64(header[sentOffset:])
		s.begin = min(max(headerBytes, int64(min(sent, uint64(size)))), size)
	}
	return s, nil
}

func lockFile(path string, flags int) (*segment, error) {
	f, err := os.OpenFile(path, os.O_RDWR|flags, 0o600)
	if flags == 0 && errors.Is(err, os.ErrNotExist) {
		return nil, nil // another process has just sent all of it
	}
	if err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, f.Close()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("outbox: lock %s: %w", path, err), f.Close())
	}
	return &segment{File: f}, nil
}

// append adds a record. What was written of one that failed is overwritten by the next.
func (s *segment) append(record []byte) error {
	if _, err := s.WriteAt(record, s.end); err != nil {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	s.end += int64(len(record))
	return nil
}

// waiting is the size of what was not sent.
func (s *segment) waiting() int64 { return s.end - s.begin }

// batch are the oldest frames of a segment that were not sent.
type batch struct {
	segment *segment
	frames  []*streams.Frame
	ends    []int64 // of their records
}

// next returns the oldest frames that were not sent, up to some number and size but at least one if there is one. A record
// that a crash cut off or damaged ends the segment: then lost tells how much.
func (s *segment) next(frames int, size int64) (b batch, lost int64, err error) {
	b.segment = s
	for end := s.begin; end < s.end && len(b.frames) < frames && (len(b.frames) == 0 || end-s.begin < size); {
		record, err := s.read(end)
		if err != nil {
			return batch{}, 0, err
		}
		if record == nil {
			lost, s.end = s.end-end, end
			break
		}
		f, err := capture.ParseFrame(record)
		if err != nil {
			return batch{}, 0, err
		}
		end += recordHeader + int64(len(record))
		b.frames, b.ends = append(b.frames, f), append(b.ends, end)
	}
	return b, lost, nil
}

// read returns the record at an offset, nil if it is not whole.
func (s *segment) read(at int64) ([]byte, error) {
	var header [recordHeader]byte
	if ok, err := s.readFull(header[:], at); !ok {
		return nil, err
	}
	size := binary.LittleEndian.Uint32(header[:])
	// Zeros, which some file systems leave where a crash kept the size but not the content, would be a sound record of
	// nothing.
	if size == 0 || int64(size) > min(recordBytesMax, s.end-at-recordHeader) {
		return nil, nil
	}
	record := make([]byte, size)
	if ok, err := s.readFull(record, at+recordHeader); !ok {
		return nil, err
	}
	if crc32.Checksum(record, castagnoli) != binary.LittleEndian.Uint32(header[4:]) {
		return nil, nil
	}
	return record, nil
}

// readFull is not ok if the file ends before.
func (s *segment) readFull(p []byte, at int64) (ok bool, err error) {
	_, err = s.ReadAt(p, at)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("outbox: %w", err)
	}
	return true, nil
}

// sent notes how far the records were sent, so that whoever has the file next goes on there.
func (s *segment) sent(end int64) error {
	s.begin = end
	if s.old {
		return nil
	}
	return s.keepSent()
}

func (s *segment) keepSent() error {
	if _, err := s.WriteAt(binary.LittleEndian.AppendUint64(nil, uint64(s.begin)), sentOffset); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	return nil
}

// close gives the file up; it goes if nothing in it waits.
func (s *segment) close() error {
	var err error
	if s.waiting() == 0 {
		err = os.Remove(s.Name())
	} else {
		err = s.Sync()
	}
	return errors.Join(err, s.Close())
}

func newRecord(f *streams.Frame) ([]byte, error) {
	record, err := capture.AppendFrame(make([]byte, recordHeader, recordHeader+512+len(f.Body)), f)
	if err != nil {
		return nil, err
	}
	binary.LittleEndian.PutUint32(record, uint32(len(record)-recordHeader))
	binary.LittleEndian.PutUint32(record[4:], crc32.Checksum(record[recordHeader:], castagnoli))
	return record, nil
}
