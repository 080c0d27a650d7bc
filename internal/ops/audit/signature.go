package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/google/uuid"

	"assay/consumers/silver"
	"assay/sovereign/schema"
)

// layout says which columns of a table are compared.
type layout struct {
	table   *schema.Table
	columns []string // at most columnsMax
	byFrame bool     // rows are told apart by the frame and position that they name, too
}

// columnsMax is the number of columns whose presence fits into the last word of a signature.
const columnsMax = 64

// Columns of traces that prove nothing: the number of the message of SILVER, which is a buffer, and the partition, which follows
// from the workflow.
const (
	silverSeq = "silver_seq"
	partition = "partition"
)

// ofPromotion are the columns of promotions that the log determines; what became of each, the registry knows.
var ofPromotion = []string{"event_uuid", "event_cid", "workflow_id", "ts", "payload"}

func newLayout(name string) *layout {
	l := &layout{table: schema.ByName(name), byFrame: name == schema.Traces}
	if name == schema.Promotions {
		l.columns = ofPromotion
		return l
	}
	for _, field := range l.table.Schema.Fields() {
		if field.Name != silverSeq && (!l.byFrame || field.Name != partition) {
			l.columns = append(l.columns, field.Name)
		}
	}
	return l
}

// schema is that of the compared columns.
func (l *layout) schema() *arrow.Schema {
	fields := make([]arrow.Field, len(l.columns))
	for i, name := range l.columns {
		fields[i] = l.table.Schema.Field(l.table.Schema.FieldIndices(name)[0])
	}
	return arrow.NewSchema(fields, nil)
}

// ofWorkflow reports whether each row is about one workflow.
func (l *layout) ofWorkflow() bool { return l.table.Schema.HasField(silver.ColWorkflowID) }

// ofEntity reports whether each row is about one entity.
func (l *layout) ofEntity() bool { return l.table.Schema.HasField(silver.ColEntityUUID) }

// width is the length of a signature: a word for each column, and one that tells which of them have values.
func (l *layout) width() int { return len(l.columns) + 1 }

// Columns of episodes that say more about the embedder than about the log.
var ofEmbedder = []string{"vector", "model", "dimensions"}

// differing names the columns in which two signatures differ. Where the model does, the vector was made by another one, or is
// still to be made, and says nothing.
func (l *layout) differing(want, found []uint64) (names []string) {
	present := len(l.columns)
	for i, column := range l.columns {
		if want[i] != found[i] || (want[present]^found[present])>>i&1 != 0 {
			names = append(names, column)
		}
	}
	if l.table.Name == schema.Episodes && slices.Contains(names, "model") {
		names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(ofEmbedder, name) })
	}
	return names
}

// signer computes the signatures of the rows of a record.
type signer struct {
	words []func(row int) (word uint64, valid bool)
}

// newSigner fails with ErrColumn if a column is not there or of an unknown type. Ids as 16 bytes and ids as texts have the
// same signature, as have numbers of 32 and 64 bits: so rows of Silver can be compared with rows of traces.
func newSigner(l *layout, r arrow.Record) (*signer, error) {
	s := &signer{}
	for _, name := range l.columns {
		found := r.Schema().FieldIndices(name)
		if len(found) == 0 {
			return nil, fmt.Errorf("%w: %s of %s is not there", ErrColumn, name, l.table.Name)
		}
		word := wordOf(r.Column(found[0]))
		if word == nil {
			return nil, fmt.Errorf("%w: %s of %s is a %s", ErrColumn, name, l.table.Name, r.Column(found[0]).DataType())
		}
		s.words = append(s.words, word)
	}
	return s, nil
}

// sign appends the signature of a row to dst.
func (s *signer) sign(dst []uint64, row int) []uint64 {
	var present uint64
	for i, word := range s.words {
		w, valid := word(row)
		if valid {
			present |= 1 << i
		}
		dst = append(dst, w)
	}
	return append(dst, present)
}

func wordOf(column arrow.Array) func(row int) (uint64, bool) {
	word := valueOf(column)
	if word == nil {
		return nil
	}
	if column.NullN() == 0 {
		return func(row int) (uint64, bool) { return word(row), true }
	}
	return func(row int) (uint64, bool) {
		if column.IsNull(row) {
			return 0, false
		}
		return word(row), true
	}
}

func valueOf(column arrow.Array) func(row int) uint64 {
	switch c := column.(type) {
	case *array.String:
		return remembering(c.Value)
	case *array.LargeString:
		return remembering(c.Value)
	case *array.FixedSizeBinary:
		return func(row int) uint64 { return digest([]byte(uuidText(c.Value(row)))) }
	case *array.Int64:
		return func(row int) uint64 { return uint64(c.Value(row)) }
	case *array.Int32:
		return func(row int) uint64 { return uint64(int64(c.Value(row))) }
	case *array.Float64:
		return func(row int) uint64 { return math.Float64bits(c.Value(row)) }
	case *array.Timestamp:
		return func(row int) uint64 { return uint64(c.Value(row)) }
	case *array.FixedSizeList:
		return vectorWord(c)
	default:
		return nil
	}
}

// remembering makes use of neighbouring rows often having the same text.
func remembering(value func(row int) string) func(row int) uint64 {
	last, word := "", digest(nil)
	return func(row int) uint64 {
		if v := value(row); v != last {
			last, word = v, digest([]byte(v))
		}
		return word
	}
}

func vectorWord(c *array.FixedSizeList) func(row int) uint64 {
	numbers, ok := c.ListValues().(*array.Float32)
	if !ok {
		return nil
	}
	return func(row int) uint64 {
		from, to := c.ValueOffsets(row)
		var bytes []byte
		for i := from; i < to; i++ {
			bytes = binary.LittleEndian.AppendUint32(bytes, math.Float32bits(numbers.Value(int(i))))
		}
		return digest(bytes)
	}
}

func digest(value []byte) uint64 {
	sum := sha256.Sum256(value)
	return binary.BigEndian.Uint64(sum[:])
}

func uuidText(id []byte) string { return uuid.UUID(id).String() }
