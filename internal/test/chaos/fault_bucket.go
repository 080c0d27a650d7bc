package chaos

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"assay/internal/test/gateway"
)

// bucketPoint is the fault point with the tables in a bucket.
type bucketPoint struct {
	point
	server *gateway.Gateway
}

func (b *bucketPoint) Prepare(_ context.Context, r *Run) error {
	b.server = gateway.Start(r.harness.T)
	return r.keepTablesAt(b.server.URL())
}

// keepTablesAt has the program and its other commands keep the tables in a bucket, and the judge read them there.
func (r *Run) keepTablesAt(address string) error {
	r.Bucket, r.Reached = "s3://"+gateway.Bucket+"/tables", gateway.Options(address)
	settings, err := json.Marshal(map[string]any{"store": map[string]any{"url": r.Bucket, "options": r.Reached}})
	if err != nil {
		return err
	}
	file := filepath.Join(r.Dir, "assay.yaml")
	r.Program.Env = append(r.Program.Env, "ASSAY_CONFIG="+file)
	return os.WriteFile(file, settings, 0o600)
}

// bucket is everything that may happen between the program and its bucket, and kills at the same time.
type bucket struct {
	bucketPoint

	mu     sync.Mutex
	faults *rand.Rand // drawn by many requests at once
	mood   bucketMood
}

type bucketMood int

const (
	bucketWell    bucketMood = iota
	bucketFails              // one of failsOneOf requests is refused, cut off, answered by nothing or done late
	bucketSlow               // each answer takes slowAnswer
	bucketAway               // the server is dead
	bucketKilled             // the program is killed while requests fail
	bucketAtPoint            // the program is killed at a point while requests fail
	bucketMoods
)

const (
	failsOneOf = 10
	slowAnswer = 500 * time.Millisecond
	awayFor    = 3 * time.Second
)

func (b *bucket) Prepare(_ context.Context, r *Run) error {
	b.faults = rand.New(rand.NewPCG(r.Seed, 6))
	b.server = gateway.Start(r.harness.T)
	return r.keepTablesAt(gateway.Through(r.harness.T, b.server.URL(), b.meet).URL)
}

// meet chooses what becomes of a request.
func (b *bucket) meet(r *http.Request) gateway.Fault {
	b.mu.Lock()
	mood, one, fault := b.mood, b.faults.IntN(failsOneOf) == 0, gateway.Fault(b.faults.IntN(int(gateway.Late)+1))
	b.mu.Unlock()
	switch {
	case mood == bucketFails && one:
		return fault
	case mood == bucketSlow:
		wait(r.Context(), slowAnswer)
	}
	return gateway.None
}

func (b *bucket) be(mood bucketMood) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mood = mood
}

func (b *bucket) Strike(ctx context.Context, r *Run) error {
	switch mood := bucketMood(r.Rng.IntN(int(bucketMoods))); mood {
	case bucketAway:
		b.server.Kill()
		wait(ctx, awayFor)
		b.server.Restart(r.harness.T)
		return nil
	case bucketKilled:
		b.be(bucketFails)
		r.Program.Signal(syscall.SIGKILL)
		return nil
	case bucketAtPoint:
		b.be(bucketFails)
		return b.point.Strike(ctx, r)
	default:
		b.be(mood)
		return nil
	}
}

func (b *bucket) Heal(context.Context, *Run) error {
	b.be(bucketWell)
	return nil
}
