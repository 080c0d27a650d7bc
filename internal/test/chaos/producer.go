package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"assay/streams"
)

// Limits of producers.
const (
	producersMax  = 4                     // that send at a time
	retryPause    = 50 * time.Millisecond // before a body is sent again
	answerTimeout = 10 * time.Second      // of one request; what hangs longer is sent again,
	sentPerSecond = 1 << 20               // though so many bytes may take a second more
	refusalsMax   = 20                    // kinds of refusal that are remembered
	pace          = 5 * time.Millisecond  // between two bodies of one producer, so that faults meet traffic
)

// Producers send bodies until each is acknowledged, so that exactly all of them are.
type Producers struct {
	url    string
	client *http.Client

	mu       sync.Mutex
	acked    int
	retries  int
	refusals map[string]int // by status, what was refused and later taken
	moved    chan struct{}  // closed, and made anew, whenever acked grows
	fatal    error
}

// NewProducers returns producers that send to the program at url.
func NewProducers(url string) *Producers {
	return &Producers{
		url: url, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: producersMax}},
		refusals: map[string]int{}, moved: make(chan struct{}),
	}
}

// Send sends all bodies and returns when all are acknowledged, or with the first that cannot be.
func (p *Producers) Send(ctx context.Context, bodies []Body) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	waiting := make(chan *Body)
	var senders sync.WaitGroup
	for range producersMax {
		senders.Go(func() {
			for b := range waiting {
				if err := p.persist(ctx, b); err != nil {
					p.fail(err)
					cancel()
				}
			}
		})
	}
	for i := range bodies {
		select {
		case waiting <- &bodies[i]:
		case <-ctx.Done():
		}
	}
	close(waiting)
	senders.Wait()
	p.client.CloseIdleConnections()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fatal
}

// Reach returns when that many bodies are acknowledged.
func (p *Producers) Reach(ctx context.Context, acked int) error {
	for {
		p.mu.Lock()
		done, moved, err := p.acked >= acked, p.moved, p.fatal
		p.mu.Unlock()
		if done || err != nil {
			return err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("torture: %d bodies are not acknowledged: %w", acked, context.Cause(ctx))
		}
	}
}

// Retries is how often a body was sent again.
func (p *Producers) Retries() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.retries
}

// Refused is how often the program answered with that status.
func (p *Producers) Refused(status int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refusals[http.StatusText(status)]
}

func (p *Producers) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fatal = errors.Join(p.fatal, err)
	close(p.moved)
	p.moved = make(chan struct{})
}

// persist sends one body until it is acknowledged. A refusal that repeating cannot help is an error.
func (p *Producers) persist(ctx context.Context, b *Body) error {
	wait(ctx, pace)
	for {
		status, err := p.send(ctx, b)
		p.mu.Lock()
		if err == nil && status == http.StatusOK {
			p.acked++
			close(p.moved)
			p.moved = make(chan struct{})
			p.mu.Unlock()
			return nil
		}
		p.retries++
		if err == nil && len(p.refusals) < refusalsMax {
			p.refusals[http.StatusText(status)]++
		}
		p.mu.Unlock()
		if err == nil && status < 500 && status != http.StatusTooManyRequests {
			return fmt.Errorf("torture: %s at %d is refused for good: %s", b.Stream, b.Position, http.StatusText(status))
		}
		if wait(ctx, retryPause); ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// send returns the status of the answer, or the error that kept it away.
func (p *Producers) send(ctx context.Context, b *Body) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout+time.Duration(len(b.Bytes)/sentPerSecond)*time.Second)
	defer cancel()
	target := p.url + "/v1/ingest/" + string(b.Source) + "/" + url.PathEscape(b.Workflow)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(b.Bytes))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", b.ContentType)
	request.Header.Set(streams.HeaderStream, url.PathEscape(b.Stream))
	request.Header.Set(streams.HeaderPosition, strconv.FormatUint(b.Position, 10))
	request.Header.Set(streams.HeaderTime, b.Captured.Format(time.RFC3339Nano))
	response, err := p.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0, err // an answer that is cut off acknowledges nothing
	}
	return response.StatusCode, nil
}

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
