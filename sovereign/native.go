package sovereign

// Everything that crosses to C is in this file: one method for each function of native/assay_native.h.

/*
#cgo CFLAGS: -I${SRCDIR}/native
#cgo LDFLAGS: -L${SRCDIR}/native/lib -lassay_native -lm -ldl -lpthread
#cgo darwin LDFLAGS: -framework CoreFoundation -framework Security -framework SystemConfiguration

#if !__has_include("stamp.h")
#error "The native library is not built. Run: make native"
#endif
#include "stamp.h"
#include "assay_native.h"

#include <stdlib.h>
#if defined(__GLIBC__)
#include <malloc.h>
static void limit_memory(void) {
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_MMAP_THRESHOLD, 256 << 10);
	mallopt(M_TRIM_THRESHOLD, 4 << 20);
}
static void trim_memory(void) { malloc_trim(0); }
#else
static void limit_memory(void) {}
static void trim_memory(void) {}
#endif
*/
import "C"

import (
	"encoding/json"
	"fmt"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/cdata"
)

// By default glibc keeps up to eight arenas a core, each with what it once needed, and puts ever larger allocations there;
// large writes leave hundreds of MiB behind. Two arenas serve the library's few threads as well, and what is large gets
// pages of its own, which go back to the system at once. Both must be asked for before the first allocation.
func init() { C.limit_memory() }

// trimMemory gives back to the system what is free between the holes.
func trimMemory() { C.trim_memory() }

// NativeStamp returns the hash of the native library that this program was linked with.
//
// The go command does not notice when an archive changes, but it does notice a changed header of the package; the stamp
// in it makes the program link anew.
func NativeStamp() string {
	C.assay_native_abi_4()
	return C.ASSAY_NATIVE_STAMP
}

// limitCaches bounds what all tables together keep in memory. It counts if it comes before the first of them is opened.
func limitCaches(indexBytes, footerBytes int64) {
	C.assay_limit_caches(C.size_t(indexBytes), C.size_t(footerBytes))
}

// limitTail bounds the rows that are indexed in memory, for each column that queries are ranked by.
func limitTail(rows int64) { C.assay_limit_tail(C.size_t(rows)) }

// storeOptions says how an object store is to be reached; options is a JSON object of strings.
func storeOptions(root, options string) error {
	return failure(C.assay_store_options(chars(root), length(root), chars(options), length(options)))
}

// prepareStore makes a folder, or finds out whether an object store keeps what commits rest on.
func prepareStore(root string) error {
	return failure(C.assay_store_prepare(chars(root), length(root)))
}

// cacheIn keeps up to that many bytes of what never changes in object stores in a folder; 0: none.
func cacheIn(folder string, bytes int64) error {
	return failure(C.assay_cache(chars(folder), length(folder), C.uint64_t(bytes)))
}

// clearCache removes what is kept there.
func clearCache() { C.assay_cache_clear() }

// replaceStore puts the tables of a folder in the place of those of an object store.
func replaceStore(root, from string) error {
	return failure(C.assay_store_replace(chars(root), length(root), chars(from), length(from)))
}

// tableBytes is what a table takes, old versions included.
func tableBytes(root, name string) (int64, error) {
	var bytes C.uint64_t
	err := failure(C.assay_table_bytes(chars(root), length(root), chars(name), length(name), &bytes))
	return int64(bytes), err
}

// nativeTable is a handle on a table. It may be used by several goroutines at once.
type nativeTable struct {
	open   *openHandle
	epochs string // under which it writes, as JSON; see Store.Fenced
}

// openHandle is shared by those who write under different epochs, so that none of them uses it once it is closed.
type openHandle struct{ handle *C.assay_table }

func openNative(root, name string) (*nativeTable, error) {
	t := &nativeTable{open: &openHandle{}}
	return t, failure(C.assay_table_open(chars(root), length(root), chars(name), length(name), &t.open.handle))
}

func (t *nativeTable) close() {
	C.assay_table_close(t.open.handle)
	t.open.handle = nil
}

// addColumns adds those of columns that the table lacks, all null.
func (t *nativeTable) addColumns(columns []arrow.Field) error {
	x := newExchange()
	defer x.end()
	cdata.ExportArrowSchema(arrow.NewSchema(columns, nil), x.schema)
	return failure(C.assay_table_add_columns(t.open.handle, x.cSchema()))
}

// claim begins the epochs that JSON names.
func (t *nativeTable) claim(epochs string) error {
	return failure(C.assay_table_claim(t.open.handle, chars(epochs), length(epochs)))
}

// currentEpochs are those of the newest version.
func (t *nativeTable) currentEpochs() (Epochs, error) {
	var text *C.char
	if err := failure(C.assay_table_epochs(t.open.handle, &text)); err != nil {
		return nil, err
	}
	defer C.assay_string_free(text)
	var epochs Epochs
	if err := json.Unmarshal([]byte(C.GoString(text)), &epochs); err != nil {
		return nil, fmt.Errorf("%w: epochs: %w", ErrInternal, err)
	}
	return epochs, nil
}

func (t *nativeTable) append(rows arrow.Record) error {
	x := newExchange()
	defer x.end()
	x.export(rows)
	return failure(C.assay_table_append(t.open.handle, x.cArray(), x.cSchema(), chars(t.epochs), length(t.epochs)))
}

func (t *nativeTable) merge(key string, rows arrow.Record) error {
	x := newExchange()
	defer x.end()
	x.export(rows)
	return failure(C.assay_table_merge(t.open.handle, chars(key), length(key), x.cArray(), x.cSchema(),
		chars(t.epochs), length(t.epochs)))
}

func (t *nativeTable) delete(predicate string) error {
	var deleted C.uint64_t
	return failure(C.assay_table_delete(t.open.handle, chars(predicate), length(predicate), chars(t.epochs), length(t.epochs), &deleted))
}

func (t *nativeTable) count(filter string) (int64, error) {
	var n C.uint64_t
	err := failure(C.assay_table_count(t.open.handle, chars(filter), length(filter), &n))
	return int64(n), err
}

func (t *nativeTable) createIndex(column, kind string) error {
	return failure(C.assay_table_create_index(t.open.handle, chars(column), length(column), chars(kind), length(kind),
		chars(t.epochs), length(t.epochs)))
}

func (t *nativeTable) createVectorIndex(column, name string) error {
	return failure(C.assay_table_create_vector_index(t.open.handle, chars(column), length(column), chars(name), length(name),
		chars(t.epochs), length(t.epochs)))
}

// nativeIndex describes an index as the library lists it.
type nativeIndex struct {
	Name          string   `json:"name"`
	Columns       []string `json:"columns"`
	Type          string   `json:"index_type"`
	RowsUnindexed int64    `json:"rows_unindexed"`
}

func (t *nativeTable) indexes() ([]nativeIndex, error) {
	var text *C.char
	if err := failure(C.assay_table_indexes(t.open.handle, &text)); err != nil {
		return nil, err
	}
	defer C.assay_string_free(text)
	var indexes []nativeIndex
	if err := json.Unmarshal([]byte(C.GoString(text)), &indexes); err != nil {
		return nil, fmt.Errorf("%w: list of indexes: %w", ErrInternal, err)
	}
	return indexes, nil
}

func (t *nativeTable) warm() error { return failure(C.assay_table_warm(t.open.handle)) }

func (t *nativeTable) extendIndex(name string, rowsMax int64) error {
	return failure(C.assay_table_extend_index(t.open.handle, chars(name), length(name), C.uint64_t(rowsMax),
		chars(t.epochs), length(t.epochs)))
}

func (t *nativeTable) optimise(targetRows, rowsMax int64, versionsAgeMax time.Duration) error {
	options := C.assay_optimise_options{
		target_rows:        C.uint64_t(targetRows),
		rows_max:           C.uint64_t(rowsMax),
		versions_age_max_s: C.uint64_t(versionsAgeMax / time.Second),
	}
	var stats C.assay_optimise_stats
	return failure(C.assay_table_optimise(t.open.handle, &options, chars(t.epochs), length(t.epochs), &stats))
}

// nativeRows is a query under way. Its next is called by one goroutine at a time; free may be called meanwhile.
type nativeRows struct {
	schema *arrow.Schema

	mu      sync.Mutex
	handle  *C.assay_rows
	reading bool
	freed   bool
}

func (t *nativeTable) query(description string) (*nativeRows, error) {
	x := newExchange()
	defer x.end()
	rows := &nativeRows{}
	err := failure(C.assay_table_query(t.open.handle, chars(description), length(description), x.cSchema(), &rows.handle))
	if err != nil {
		return nil, err
	}
	if rows.schema, err = cdata.ImportCArrowSchema(x.schema); err != nil {
		rows.free()
		return nil, fmt.Errorf("%w: schema of the result: %w", ErrInternal, err)
	}
	return rows, nil
}

// next returns the next rows, which the caller releases, or nil at the end.
func (r *nativeRows) next() (arrow.Record, error) {
	if !r.begin() {
		return nil, nil
	}
	defer r.end()
	x := newExchange()
	defer x.end()
	var more C.bool
	if err := failure(C.assay_rows_next(r.handle, x.cArray(), &more)); err != nil || !bool(more) {
		return nil, err
	}
	rows, err := cdata.ImportCRecordBatchWithSchema(x.array, r.schema)
	if err != nil {
		cdata.ReleaseCArrowArray(x.array)
		return nil, fmt.Errorf("%w: rows of the result: %w", ErrInternal, err)
	}
	return rows, nil
}

// free ends the query, after a next that is under way.
func (r *nativeRows) free() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.freed = true
	r.freeUnused()
}

func (r *nativeRows) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reading = !r.freed
	return r.reading
}

func (r *nativeRows) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reading = false
	r.freeUnused()
}

func (r *nativeRows) freeUnused() {
	if r.freed && !r.reading {
		C.assay_rows_free(r.handle)
		r.handle = nil
	}
}

// exchange is where rows and their schema cross the Arrow C data interface. Both are pinned: for C their addresses are of
// types that Go does not know, which hides them from the garbage collector.
type exchange struct {
	array  *cdata.CArrowArray
	schema *cdata.CArrowSchema
	pins   runtime.Pinner
}

func newExchange() *exchange {
	x := &exchange{array: &cdata.CArrowArray{}, schema: &cdata.CArrowSchema{}}
	x.pins.Pin(x.array)
	x.pins.Pin(x.schema)
	return x
}

// export puts rows in for C to take over; C releases them when it is done with them. What C sees of Go's memory is pinned
// until end.
func (x *exchange) export(rows arrow.Record) {
	for _, column := range rows.Columns() {
		pinBuffers(column.Data(), &x.pins)
	}
	cdata.ExportArrowRecordBatch(rows, x.array, x.schema)
}

func (x *exchange) end() { x.pins.Unpin() }

func (x *exchange) cArray() *C.struct_ArrowArray {
	return (*C.struct_ArrowArray)(unsafe.Pointer(x.array))
}

func (x *exchange) cSchema() *C.struct_ArrowSchema {
	return (*C.struct_ArrowSchema)(unsafe.Pointer(x.schema))
}

func pinBuffers(data arrow.ArrayData, pins *runtime.Pinner) {
	for _, buffer := range data.Buffers() {
		if buffer != nil && buffer.Len() > 0 {
			pins.Pin(&buffer.Bytes()[0])
		}
	}
	for _, child := range data.Children() {
		pinBuffers(child, pins)
	}
}

// failure turns a status into an error, nil for success.
func failure(status C.assay_status) error {
	if status.code == C.ASSAY_OK {
		return nil
	}
	defer C.assay_string_free(status.message)
	return fmt.Errorf("%w: %s", sentinel(status.code), C.GoString(status.message))
}

func sentinel(code C.int32_t) error {
	switch code {
	case C.ASSAY_INVALID:
		return ErrInvalid
	case C.ASSAY_NOT_FOUND:
		return ErrNotFound
	case C.ASSAY_SCHEMA, C.ASSAY_EXISTS:
		return ErrSchema
	case C.ASSAY_CONFLICT:
		return ErrConflict
	case C.ASSAY_IO:
		return ErrIO
	case C.ASSAY_FENCED:
		return ErrFenced
	default:
		return ErrInternal
	}
}

func chars(s string) *C.char { return (*C.char)(unsafe.Pointer(unsafe.StringData(s))) }

func length(s string) C.size_t { return C.size_t(len(s)) }
