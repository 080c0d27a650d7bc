package sovereign

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"assay/sovereign/schema"
)

// An S3 server over a folder, built from its Go module.
const (
	gatewayModule  = "github.com/versity/versitygw"
	gatewayVersion = "v1.8.0"

	gatewayBuildTimeout = 10 * time.Minute
)

// bucketOptions reach a server that speaks S3 at an address.
func bucketOptions(address string) Options {
	return Options{Bucket: map[string]string{
		"access_key_id": "key", "secret_access_key": "secretsecret", "region": "us-east-1", "endpoint": address, "allow_http": "true",
	}}
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
	address := startGateway(t)
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
	address := startGateway(t)
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
	address := through(t, startGateway(t), func(r *http.Request) bool {
		return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/_versions/") && lost.Add(1)%2 == 1
	})
	store := openBucket(t, "s3://memory/lost", address)
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
	gateway := startGateway(t)
	duty := Partition(4)
	heir := openBucket(t, root, gateway)
	claim(t, heir, Epochs{duty: 1})

	var halfway atomic.Bool
	stopped, takenOver := make(chan struct{}), make(chan struct{})
	var zombie *writer
	address := through(t, gateway, func(r *http.Request) bool {
		if commit := r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/_versions/"); commit && halfway.Swap(false) {
			if err := zombie.process.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Error(err)
			}
			close(stopped)
			<-takenOver // only then the commit reaches the bucket
		}
		return false
	})
	zombie = startWriter(t, root, bucketOptions(address))
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

// Where a bucket cannot be reached, a write fails and the store goes on once it can.
func TestABucketThatWasAwayIsUsedAgain(t *testing.T) {
	var away atomic.Bool
	address := through(t, startGateway(t), func(*http.Request) bool { return away.Load() })
	store := openBucket(t, "s3://memory/away", address)
	appendRows(t, store, schema.Traces, 3)
	away.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	rows := sampleRows(t, schema.Traces, 3, 3)
	if err := store.Append(ctx, schema.Traces, rows); err == nil {
		t.Error("an append succeeded while the bucket was away")
	}
	away.Store(false)
	appendRows(t, store, schema.Traces, 3) // after what is still being tried
	n, err := store.Count(t.Context(), schema.Traces, schema.Filter{})
	if err != nil || n != 6 && n != 9 {
		t.Errorf("%d rows, error %v, want those of two appends, or of the one that was given up too", n, err)
	}
}

// A gateway that does not look at If-None-Match lets writers overwrite each other's commits.
func TestABucketWithoutConditionalWritesIsRefused(t *testing.T) {
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("ETag", `"0"`)
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	defer gateway.Close()
	store, err := Open(t.Context(), "s3://careless/memory", bucketOptions(gateway.URL))
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

// through is a network between the store and a gateway. Answers to requests for which lose says so never arrive.
func through(t *testing.T, address string, lose func(*http.Request) bool) string {
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	// The host is part of what is signed, so requests keep the one that they were made for.
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
		r.Out.Host = r.In.Host
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !lose(r) {
			pass.ServeHTTP(w, r)
			return
		}
		pass.ServeHTTP(httptest.NewRecorder(), r)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(func() {
		server.Close()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	return server.URL
}

// startGateway starts an S3 server with the bucket memory, and returns its address.
func startGateway(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds an S3 server")
	}
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "memory"), 0o755); err != nil {
		t.Fatal(err)
	}
	listen := freeAddress(t)
	gateway := exec.Command(buildGateway(t), "--port", listen, "posix", folder)
	gateway.Env = append(os.Environ(), "ROOT_ACCESS_KEY=key", "ROOT_SECRET_KEY=secretsecret")
	gateway.Stdout, gateway.Stderr = t.Output(), t.Output()
	if err := gateway.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = gateway.Process.Signal(syscall.SIGTERM)
		_ = gateway.Wait()
	})
	awaitPort(t, listen)
	return "http://" + listen
}

// buildGateway builds the server, or finds it in the go command's cache.
func buildGateway(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), gatewayBuildTimeout)
	defer cancel()
	dir := t.TempDir()
	run := func(args ...string) ([]byte, error) {
		command := exec.CommandContext(ctx, "go", args...)
		command.Dir, command.Env = dir, append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
		return command.CombinedOutput()
	}
	if out, err := run("mod", "download", gatewayModule+"@"+gatewayVersion); err != nil {
		t.Skipf("the S3 server cannot be fetched: %v: %s", err, out)
	}
	if out, err := run("install", gatewayModule+"/cmd/versitygw@"+gatewayVersion); err != nil {
		t.Fatalf("the S3 server cannot be built: %v: %s", err, out)
	}
	return filepath.Join(dir, "versitygw")
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// awaitPort returns once something accepts connections there.
func awaitPort(t *testing.T, address string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("nothing listens at %s: %v", address, err)
		}
	}
}
