package erase

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"assay/consumers/silver"
)

// spool holds rows on disk until folding stands still, since a workflow may have more of them than memory.
type spool struct {
	file *os.File
	out  *bufio.Writer
}

// newSpool makes a file in a directory that has no name any more, so that no crash leaves it behind.
func newSpool(dir string) (*spool, error) {
	file, err := os.CreateTemp(dir, "forget-*")
	if err != nil {
		return nil, fmt.Errorf("forget: %w", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, fmt.Errorf("forget: %w", errors.Join(err, file.Close()))
	}
	return &spool{file: file, out: bufio.NewWriter(file)}, nil
}

func (s *spool) close() { _ = s.file.Close() } // it is gone with that

func (s *spool) add(record arrow.Record) error {
	body, err := silver.Encode(memory.DefaultAllocator, record)
	if err != nil {
		return err
	}
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(body)))
	for _, part := range [][]byte{length[:], body} {
		if _, err := s.out.Write(part); err != nil {
			return fmt.Errorf("forget: set rows aside: %w", err)
		}
	}
	return nil
}

// each hands out what was added, until one is refused, and tells whether none was.
func (s *spool) each(yield func(arrow.Record, error) bool) bool {
	err := s.out.Flush()
	if err == nil {
		_, err = s.file.Seek(0, io.SeekStart)
	}
	in := bufio.NewReader(s.file)
	for err == nil {
		var length [8]byte
		if _, err = io.ReadFull(in, length[:]); errors.Is(err, io.EOF) {
			return true
		}
		body := make([]byte, binary.BigEndian.Uint64(length[:]))
		if err == nil {
			_, err = io.ReadFull(in, body)
		}
		var record arrow.Record
		if err == nil {
			record, err = silver.Decode(memory.DefaultAllocator, body)
		}
		if err == nil {
			more := yield(record, nil)
			record.Release()
			if !more {
				return false
			}
		}
	}
	yield(nil, fmt.Errorf("forget: read rows that were set aside: %w", err))
	return false
}
