package outbox

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync"
	"syscall"

	"assay/streams"
)

// headerBytes is the size of a record's header: the length and the checksum of the rest, four bytes each.
const headerBytes = 8

// recordBytesMax bounds a record: the largest frame, and its description.
const recordBytesMax = 64 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// file is a queue of frames on disk. One process has it, by a lock that ends with the process.
//
// A record is its header, the frame without its body as JSON, a line feed, and the body.
type file struct {
	*os.File
	limit int64

	mu    sync.Mutex
	begin int64 // of the oldest frame not sent
	end   int64
}

// openFile opens or creates a spool file. It returns nil if another process has it.
func openFile(path string, limit int64) (*file, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, f.Close()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("spool: lock %s: %w", path, err), f.Close())
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("spool: %w", err), f.Close())
	}
	return &file{File: f, limit: limit, end: end}, nil
}

// append adds a frame. Errors wrap ErrFull.
func (f *file) append(frame *streams.Frame) error {
	record, err := encode(frame)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.end+int64(len(record)) > f.limit {
		return fmt.Errorf("%w: %d MiB wait to be sent already: see that the server is reachable", ErrFull, f.limit>>20)
	}
	if _, err := f.WriteAt(record, f.end); err != nil {
		return fmt.Errorf("%w: %w", ErrFull, err) // what was written of it is overwritten by the next frame
	}
	f.end += int64(len(record))
	return nil
}

// next returns the oldest frame not sent and the end of its record; nil if there is none. A record that a crash cut off
// or damaged ends the file.
func (f *file) next() (*streams.Frame, int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	record, err := f.read()
	if err != nil || record == nil {
		return nil, 0, err
	}
	frame, err := decode(record)
	return frame, f.begin + headerBytes + int64(len(record)), err
}

func (f *file) read() ([]byte, error) {
	if f.begin >= f.end {
		return nil, nil
	}
	var header [headerBytes]byte
	if _, err := f.ReadAt(header[:], f.begin); err != nil {
		return nil, f.cutAt(err)
	}
	size := binary.LittleEndian.Uint32(header[:])
	// Zeros, which some file systems leave where a crash kept the size but not the content, would be a sound record of
	// nothing.
	if size == 0 || int64(size) > min(recordBytesMax, f.end-f.begin-headerBytes) {
		return nil, f.cutAt(io.EOF)
	}
	record := make([]byte, size)
	if _, err := f.ReadAt(record, f.begin+headerBytes); err != nil {
		return nil, f.cutAt(err)
	}
	if crc32.Checksum(record, castagnoli) != binary.LittleEndian.Uint32(header[4:]) {
		return nil, f.cutAt(io.EOF)
	}
	return record, nil
}

// cutAt ends the file before a record that is not whole. Other errors pass.
func (f *file) cutAt(err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("spool: %w", err)
	}
	f.end = f.begin
	return nil
}

// sent forgets the frames up to the end of a record, and gives their space back once none is left.
func (f *file) sent(end int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begin = end
	if f.begin < f.end {
		return nil
	}
	f.begin, f.end = 0, 0
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// waiting is the size of what was not sent.
func (f *file) waiting() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.end - f.begin
}

// close gives the file up; it goes if nothing in it waits.
func (f *file) close() error {
	var err error
	if f.waiting() == 0 {
		err = os.Remove(f.Name())
	}
	return errors.Join(err, f.File.Close())
}

func encode(frame *streams.Frame) ([]byte, error) {
	described := *frame
	described.Body = nil
	header, err := json.Marshal(described)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	record := make([]byte, headerBytes, headerBytes+len(header)+1+len(frame.Body))
	record = append(append(append(record, header...), '\n'), frame.Body...)
	binary.LittleEndian.PutUint32(record, uint32(len(record)-headerBytes))
	binary.LittleEndian.PutUint32(record[4:], crc32.Checksum(record[headerBytes:], castagnoli))
	return record, nil
}

func decode(record []byte) (*streams.Frame, error) {
	header, body, _ := bytes.Cut(record, []byte{'\n'})
	frame := new(streams.Frame)
	if err := json.Unmarshal(header, frame); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	frame.Body = body
	return frame, nil
}
