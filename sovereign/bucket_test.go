package sovereign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"assay/internal/test/gateway"
	"assay/sovereign/schema"
)

// bucketOptions reach a server that speaks S3 at an address.
func bucketOptions(address string) Options {
	return Options{Bucket: gateway.Options(address)}
}

func openBucket(t *testing.T, root, address string) *Store {
	t.Helper()
	store, err := Open(t.Context(), root, bucketOptions(address))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// A store in a bucket does what one in a folder does, and both are read back by a second opening.
func TestBucketIsAStore(t *testing.T) {
	address := gateway.Start(t).URL()
	const root = "s3://memory/a/b"
	store := openBucket(t, root, address)
	for _, table := range schema.All {
		appendRows(t, store, table.Name, 20)
		expectCount(t, store, table.Name, schema.Filter{}, 20)
	}
	merged := sampleRows(t, schema.Entities, 10, 20)
	if err := store.Merge(t.Context(), schema.Entities, merged); err != nil {
		t.Fatal(err)
	}
	expectCount(t, store, schema.Entities, schema.Filter{}, 30)
	if err := store.Optimise(t.Context(), schema.Traces); err != nil {
		t.Error(err)
	}
	if n, err := store.Bytes(t.Context(), schema.Traces); n == 0 || err != nil {
		t.Errorf("traces takes %d bytes, error %v", n, err)
	}
	before, err := store.Versions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	again := openBucket(t, root, address)
	expectCount(t, again, schema.Entities, schema.Filter{}, 30)
	if after, err := again.Versions(t.Context()); err != nil || after[schema.Traces] != before[schema.Traces] {
		t.Errorf("versions %v after reopening, %v before, error %v", after, before, err)
	}
}

// What was built in a folder takes the place of what a bucket holds, as often as it is asked for.
func TestReplaceBringsTablesIntoABucket(t *testing.T) {
	address := gateway.Start(t).URL()
	const root = "s3://memory/replaced"
	old := openBucket(t, root, address)
	appendRows(t, old, schema.Traces, 7)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	built := openStore(t, dir)
	appendRows(t, built, schema.Traces, 11)
	if err := built.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Replace(t.Context(), root, dir, bucketOptions(address)); err != nil {
			t.Fatal(err)
		}
	}
	expectCount(t, openBucket(t, root, address), schema.Traces, schema.Filter{}, 11)
}

// An answer that is lost makes the client ask again, and the store refuse what it has already done: no row twice, none gone.
func TestACommitWhoseAnswerIsLostCountsOnce(t *testing.T) {
	var lost atomic.Int64
	network := gateway.Through(t, gateway.Start(t).URL(), func(r *http.Request) gateway.Fault {
		if commits(r) && lost.Add(1)%2 == 1 {
			return gateway.Lost
		}
		return gateway.None
	})
	store := openBucket(t, "s3://memory/lost", network.URL)
	for i := range 5 {
		appendRows(t, store, schema.Traces, 10)
		expectCount(t, store, schema.Traces, schema.Filter{}, int64(10*(i+1)))
	}
	if lost.Load() < 5 {
		t.Errorf("only %d commits went through the network", lost.Load())
	}
}

// A process that is stopped in the middle of a commit, and goes on when its duty has passed to another one, changes nothing.
func TestAZombieCommitsNothing(t *testing.T) {
	const root = "s3://memory/zombie"
	address := gateway.Start(t).URL()
	duty := Partition(4)
	heir := openBucket(t, root, address)
	claim(t, heir, Epochs{duty: 1})

	var halfway atomic.Bool
	stopped, takenOver := make(chan struct{}), make(chan struct{})
	var zombie *writer
	network := gateway.Through(t, address, func(r *http.Request) gateway.Fault {
		if commits(r) && halfway.Swap(false) {
			if err := zombie.process.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Error(err)
			}
			close(stopped)
			<-takenOver // only then the commit reaches the bucket
		}
		return gateway.None
	})
	zombie = startWriter(t, root, bucketOptions(network.URL))
	write := order{Do: "append", Keys: []string{"a"}, Value: 1, Epochs: Epochs{duty: 1}}
	if o := <-zombie.begin(t, write); o.Error != "" {
		t.Fatal(o.Error)
	}
	halfway.Store(true)
	write.Keys = []string{"b"}
	done := zombie.begin(t, write)
	<-stopped
	claim(t, heir, Epochs{duty: 2})
	if err := heir.Fenced(Epochs{duty: 2}).Append(t.Context(), schema.Shed, shedRows(t, []string{"c"}, 1)); err != nil {
		t.Error(err)
	}
	close(takenOver)
	if err := zombie.process.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if o := <-done; !o.Fenced {
		t.Errorf("the commit of a zombie came to %+v, want it refused", o)
	}
	if err := heir.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := texts(readAll(t, heir, schema.Query{Table: schema.Shed}), "shed_id"); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("rows %v, want those of the first owner's time and of its heir", got)
	}
}

// commits tells whether a request puts a new version of a table.
func commits(r *http.Request) bool {
	return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/_versions/")
}

// Whatever a network does to requests, and whenever: what is written again until it succeeds is there once. A write that failed may
// come about later, which is looked for by deleting what it would have written.
func TestAFailingNetworkLosesAndDoublesNothing(t *testing.T) {
	var failing atomic.Bool
	random := rand.New(rand.NewPCG(20, 1))
	var mu sync.Mutex
	network := gateway.Through(t, gateway.Start(t).URL(), func(r *http.Request) gateway.Fault {
		mu.Lock()
		defer mu.Unlock()
		if !failing.Load() || random.IntN(4) > 0 && !commits(r) {
			return gateway.None
		}
		return gateway.Fault(random.IntN(int(gateway.Late) + 1))
	})
	store := openBucket(t, "s3://memory/failing", network.URL)
	failing.Store(true)
	want, failures := map[string]int64{}, 0
	for round := range int64(10) {
		key := fmt.Sprintf("%02d", round)
		for {
			err := store.Append(t.Context(), schema.Shed, shedRows(t, []string{key}, round))
			if err == nil {
				break
			}
			failures++
			if !errors.Is(err, ErrIO) && !errors.Is(err, ErrConflict) {
				t.Fatalf("round %d: %v", round, err)
			}
			for store.Delete(t.Context(), schema.Shed, schema.Eq("shed_id", key)) != nil {
				failures++
			}
		}
		want[key] = round
		if round%5 == 4 {
			for store.Merge(t.Context(), schema.Shed, shedRows(t, []string{key, key + "+"}, -round)) != nil {
				failures++
			}
			want[key], want[key+"+"] = -round, -round
		}
	}
	failing.Store(false)
	if err := store.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows := readAll(t, store, schema.Query{Table: schema.Shed, Columns: []string{"shed_id", "count"}})
	if got := counts(rows); !maps.Equal(got, want) || rows.NumRows() != int64(len(want)) {
		t.Errorf("%d rows %v, want %v", rows.NumRows(), got, want)
	}
	t.Logf("%d writes failed", failures)
}

// A commit that failed and comes about when nobody expects it any more, at the moment of the next one, is seen by what is written next.
func TestACommitThatComesLate(t *testing.T) {
	var holding, refusing, releasing atomic.Bool
	var network *gateway.Network
	network = gateway.Through(t, gateway.Start(t).URL(), func(r *http.Request) gateway.Fault {
		switch {
		case !commits(r):
		case holding.Swap(false):
			return gateway.Held
		case refusing.Load():
			return gateway.Refused
		case releasing.Swap(false):
			network.Release()
		}
		return gateway.None
	})
	store := openBucket(t, "s3://memory/late", network.URL)
	appendRows(t, store, schema.Shed, 1)
	row := shedRows(t, []string{"late"}, 1)

	holding.Store(true)
	refusing.Store(true)
	if err := store.Append(t.Context(), schema.Shed, row); !errors.Is(err, ErrIO) {
		t.Fatalf("an append that was not answered: error %v, want %v", err, ErrIO)
	}
	refusing.Store(false)
	releasing.Store(true)
	late := schema.Eq("shed_id", "late")
	if err := store.Delete(t.Context(), schema.Shed, late); err != nil {
		t.Fatal(err)
	}
	if err := store.Append(t.Context(), schema.Shed, row); err != nil {
		t.Fatal(err)
	}
	expectCount(t, store, schema.Shed, late, 1)
}

// Where each answer takes half a second, writes and questions take long and succeed.
func TestASlowBucket(t *testing.T) {
	var slow atomic.Bool
	network := gateway.Through(t, gateway.Start(t).URL(), func(r *http.Request) gateway.Fault {
		if slow.Load() {
			select {
			case <-time.After(500 * time.Millisecond):
			case <-r.Context().Done():
			}
		}
		return gateway.None
	})
	store := openBucket(t, "s3://memory/slow", network.URL)
	slow.Store(true)
	appendRows(t, store, schema.Entities, 5)
	if err := store.Merge(t.Context(), schema.Entities, sampleRows(t, schema.Entities, 3, 5)); err != nil {
		t.Error(err)
	}
	expectCount(t, store, schema.Entities, schema.Eq("entity_uuid", "entity_uuid-7"), 1)
	expectCount(t, store, schema.Entities, schema.Filter{}, 8)
}

// Where a bucket cannot be reached, a write fails and the store goes on once it can.
func TestABucketThatWasAwayIsUsedAgain(t *testing.T) {
	server := gateway.Start(t)
	store := openBucket(t, "s3://memory/away", server.URL())
	appendRows(t, store, schema.Traces, 3)
	server.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	rows := sampleRows(t, schema.Traces, 3, 3)
	if err := store.Append(ctx, schema.Traces, rows); err == nil {
		t.Error("an append succeeded while the bucket was away")
	}
	if err := store.Refresh(t.Context()); !errors.Is(err, ErrIO) {
		t.Errorf("looking for new versions: error %v, want %v", err, ErrIO)
	}
	if err := store.Trouble(t.Context()); !errors.Is(err, ErrIO) {
		t.Errorf("the trouble of a bucket that is away is %v, want %v", err, ErrIO)
	}
	server.Restart(t)
	appendRows(t, store, schema.Traces, 3) // after what is still being tried
	if err := store.Trouble(t.Context()); err != nil {
		t.Errorf("after an append, the trouble is still %v", err)
	}
	n, err := store.Count(t.Context(), schema.Traces, schema.Filter{})
	if err != nil || n != 6 && n != 9 {
		t.Errorf("%d rows, error %v, want those of two appends, or of the one that was given up too", n, err)
	}
}

// A gateway that does not look at If-None-Match lets writers overwrite each other's commits.
func TestABucketWithoutConditionalWritesIsRefused(t *testing.T) {
	careless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("ETag", `"0"`)
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	defer careless.Close()
	store, err := Open(t.Context(), "s3://careless/memory", bucketOptions(careless.URL))
	if err == nil {
		store.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "If-None-Match") {
		t.Errorf("error %v, want one that names If-None-Match", err)
	}
}

func TestAnUnknownKindOfStoreIsRefused(t *testing.T) {
	if _, err := Open(t.Context(), "ftp://host/memory", Options{}); err == nil || !strings.Contains(err.Error(), "s3://") {
		t.Errorf("error %v, want one that names what there is", err)
	}
}
