package silver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"assay/streams"
)

const (
	trialsKey = "trials"
	// startsMax is how many processes may begin at one place of BRONZE without getting any further, before frames are tried.
	startsMax = 2
	// triesMax is how many processes may end while they process a frame by itself, before DEAD gets it.
	triesMax = 3
	// triedMax bounds the frames that are remembered to have ended a process.
	triedMax = 1000
	// trialsWait limits what is written when Silver ends.
	trialsWait = 2 * time.Second
)

// errDeadly is the reason why a frame goes to DEAD that nobody survives.
var errDeadly = fmt.Errorf("silver: the program ended each of the %d times that it processed this frame by itself", triesMax)

// Trials finds frames that end the process which decodes them, so that nothing can be done about it afterwards: memory that is
// used up, a fatal error of the runtime. Each process notes in a bucket where in BRONZE it begins, and takes that back when it ends
// well. Where two did not and got no further, frames are processed one by one, each of which is noted before.
//
//	begin ──► a process that got no further than the two before it ──► try each frame by itself ──► passed
//	                                                                       └─► three processes ended there ──► deadly
type Trials struct {
	kv      jetstream.KeyValue
	mu      sync.Mutex
	known   trials
	through uint64          // up to this frame each is tried; 0: none is
	lost    map[uint64]bool // the frames that are deadly, as this process found them
	quiet   sync.RWMutex    // who tries a frame is alone
}

// trials is what the bucket holds.
type trials struct {
	Floor  uint64         `json:"floor"`           // up to this frame BRONZE was processed when processes began
	Starts int            `json:"starts"`          // of processes at that place, those that ended well not counted
	Tried  map[uint64]int `json:"tried,omitempty"` // processes that began a frame by itself and did not get through, by sequence
}

// OpenTrials reads what earlier processes left in a bucket.
func OpenTrials(ctx context.Context, kv jetstream.KeyValue) (*Trials, error) {
	t := &Trials{kv: kv, lost: map[uint64]bool{}}
	if _, err := t.load(ctx); err != nil {
		return nil, err
	}
	for seq, times := range t.known.Tried {
		t.lost[seq] = times >= triesMax
	}
	return t, nil
}

// load reads the bucket. The revision is 0 where it has nothing.
func (t *Trials) load(ctx context.Context) (revision uint64, err error) {
	entry, err := t.kv.Get(ctx, trialsKey)
	known := trials{}
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
	case err != nil:
		return 0, fmt.Errorf("silver: trials: %w", err)
	case json.Unmarshal(entry.Value(), &known) != nil:
		return 0, fmt.Errorf("silver: trials: the entry %q of the bucket %s is not what was written", trialsKey, t.kv.Bucket())
	default:
		revision = entry.Revision()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known = known
	return revision, nil
}

// update changes what the bucket holds, and does it again where another process of a fleet was faster.
func (t *Trials) update(ctx context.Context, change func(*trials)) error {
	for {
		revision, err := t.load(ctx)
		if err != nil {
			return err
		}
		t.mu.Lock()
		change(&t.known)
		entry, err := json.Marshal(t.known)
		t.mu.Unlock()
		if err != nil {
			return err
		}
		if revision == 0 {
			_, err = t.kv.Create(ctx, trialsKey, entry)
		} else {
			_, err = t.kv.Update(ctx, trialsKey, entry, revision)
		}
		if !streams.IsConflict(err) {
			return err
		}
	}
}

// begin notes that a process begins, which holds up to `ahead` frames at a time.
func (t *Trials) begin(ctx context.Context, consumer jetstream.Consumer, ahead int) error {
	info, err := consumer.Info(ctx)
	if err != nil {
		return fmt.Errorf("silver: trials: %w", err)
	}
	return t.update(ctx, func(known *trials) {
		if known.Floor != info.AckFloor.Stream {
			known.Floor, known.Starts = info.AckFloor.Stream, 0
		}
		if known.Starts++; known.Starts > startsMax || known.unsure() {
			t.through = info.Delivered.Stream + uint64(ahead) // what was delivered last, the log may have forgotten
		}
	})
}

// unsure reports whether a process ended while a frame was tried that is not given up yet.
func (known *trials) unsure() bool {
	for _, times := range known.Tried {
		if times < triesMax {
			return true
		}
	}
	return false
}

// end notes that the process ends well. If that does not get through, it ended badly, which is no harm.
func (t *Trials) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), trialsWait)
	defer cancel()
	_ = t.update(ctx, func(known *trials) { known.Starts = max(known.Starts-1, 0) })
}

// tries reports whether a frame is to be tried by itself.
func (t *Trials) tries(seq uint64) bool {
	return t != nil && seq <= t.through && !t.deadly(seq)
}

// alone processes a frame while nothing else is processed.
func (t *Trials) alone(ctx context.Context, seq uint64, process func()) error {
	t.quiet.Lock()
	defer t.quiet.Unlock()
	if err := t.update(ctx, func(known *trials) { known.tries(seq) }); err != nil {
		return err
	}
	process()
	return t.update(ctx, func(known *trials) { delete(known.Tried, seq) })
}

func (known *trials) tries(seq uint64) {
	if known.Tried == nil {
		known.Tried = map[uint64]int{}
	}
	if len(known.Tried) < triedMax {
		known.Tried[seq]++
	}
}

// beside processes what needs not be alone, but is not processed while something else is.
func (t *Trials) beside(process func() error) error {
	if t != nil && t.through > 0 {
		t.quiet.RLock()
		defer t.quiet.RUnlock()
	}
	return process()
}

// deadly reports whether processes ended each time that they processed a frame.
func (t *Trials) deadly(seq uint64) bool { return t != nil && t.lost[seq] }
