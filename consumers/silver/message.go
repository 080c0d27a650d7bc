package silver

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
)

// HeaderRows is the header of a SILVER message that tells how many rows it has.
const HeaderRows = "Assay-Rows"

// messageBytesMax bounds the body of a message of SILVER: with its headers it fits into one fetch
// (streams.FetchBytesMax). A batch that is larger, because its last frame was, becomes several messages.
const messageBytesMax = 31 << 20

// messages empties the batch into messages for a partition of SILVER: one, as a rule, or none if it is empty.
func (b *Batch) messages(partition int) ([]*nats.Msg, error) {
	if b.Rows() == 0 {
		return nil, nil
	}
	record, err := b.Record()
	if err != nil {
		return nil, err
	}
	defer record.Release()
	return messages(nil, b.mem, record, partition)
}

func messages(dst []*nats.Msg, mem memory.Allocator, record arrow.Record, partition int) ([]*nats.Msg, error) {
	body, err := Encode(mem, record)
	if err != nil {
		return nil, err
	}
	rows := record.NumRows()
	if len(body) <= messageBytesMax || rows == 1 {
		return append(dst, message(body, rows, partition)), nil
	}
	for _, half := range [][2]int64{{0, rows / 2}, {rows / 2, rows}} {
		part := record.NewSlice(half[0], half[1])
		dst, err = messages(dst, mem, part, partition)
		part.Release()
		if err != nil {
			return nil, err
		}
	}
	return dst, nil
}

func message(body []byte, rows int64, partition int) *nats.Msg {
	msg := nats.NewMsg("silver." + strconv.Itoa(partition))
	msg.Header.Set("Content-Type", "application/vnd.apache.arrow.stream")
	msg.Header.Set(HeaderRows, strconv.FormatInt(rows, 10))
	msg.Header.Set(nats.MsgIdHdr, uuid.NewString()) // so that the log recognises it if it has to be sent again
	msg.Data = body
	return msg
}

// Encode renders a record as one Arrow IPC stream: schema, one batch, end.
func Encode(mem memory.Allocator, record arrow.Record) ([]byte, error) {
	var buf bytes.Buffer
	buf.Grow(encodedBytes(record))
	w := ipc.NewWriter(&buf, ipc.WithSchema(record.Schema()), ipc.WithAllocator(mem))
	if err := w.Write(record); err != nil {
		return nil, fmt.Errorf("silver: encode batch: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("silver: encode batch: %w", err)
	}
	return buf.Bytes(), nil
}

// encodedBytes is about how long the encoding of a record is, so that it need not be copied as it grows.
func encodedBytes(record arrow.Record) int {
	const schema, perBuffer = 8 << 10, 64
	n := schema
	for _, column := range record.Columns() {
		for _, buffer := range column.Data().Buffers() {
			if buffer != nil {
				n += perBuffer + buffer.Len()
			}
		}
	}
	return n
}

// Decode is the inverse of Encode. The caller releases the record. Errors wrap ErrBatch.
func Decode(mem memory.Allocator, message []byte) (arrow.Record, error) {
	r, err := ipc.NewReader(bytes.NewReader(message), ipc.WithAllocator(mem))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBatch, err)
	}
	defer r.Release()
	if !r.Schema().Equal(Schema) {
		return nil, fmt.Errorf("%w: its schema is another version's; rebuild the layers above Bronze with `assay rebuild`", ErrBatch)
	}
	if !r.Next() {
		return nil, fmt.Errorf("%w: no record: %w", ErrBatch, r.Err())
	}
	record := r.Record()
	record.Retain()
	return record, nil
}
