package app

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errStillRunning means that what was processed did not come to an end in time.
var errStillRunning = errors.New("processing has not ended in time, and is left where it is; nothing that was accepted is lost")

// endWithin is how long Close gives what was accepted to get into the tables.
const endWithin = 5 * time.Second

// Close ends processing, of what was accepted as far as it gets within endWithin, and closes everything in the reverse order of
// opening. What is left stays in the log for the next start. It may be called once, also on a Pipeline that is only partly open.
//
// When ctx ends, what is still under way is left, as by a crash: the process should end then. What is committed stays. So does, within
// seconds, whoever stops while an outside log does not answer: there is nothing more that could be done.
func (p *Pipeline) Close(ctx context.Context) error {
	defer p.closeUnanswered(ctx)()
	var errs []error
	if p.publisher != nil {
		errs = append(errs, p.publisher.Close(ctx))
	}
	p.end(ctx)
	if p.ended(ctx) {
		errs = append(errs, p.closeTables(ctx))
		if p.closeEmbedder != nil {
			errs = append(errs, p.closeEmbedder())
		}
	} else {
		errs = append(errs, errStillRunning) // whose tables must stay open
	}
	if p.conn != nil {
		p.conn.Close()
	}
	if p.server != nil {
		errs = append(errs, p.server.Stop(ctx))
	}
	return errors.Join(errs...)
}

// end waits until what was accepted is processed, while that goes on and makes haste.
func (p *Pipeline) end(ctx context.Context) {
	if p.stop == nil || p.log == nil || !p.refines() {
		return
	}
	ending, cancel := context.WithTimeout(ctx, endWithin)
	defer cancel()
	go func() {
		select {
		case <-p.done: // nobody processes
			cancel()
		case <-ending.Done():
		}
	}()
	if err := p.processed(ending); err != nil {
		p.opts.Logger.Info("what the log holds is not wholly processed; the next start goes on", "reason", err)
	}
}

// ended stops what Start started, and tells whether it has ended by when ctx does.
func (p *Pipeline) ended(ctx context.Context) bool {
	if p.stop == nil {
		return true
	}
	p.stop()
	select {
	case <-p.done:
		return true
	case <-ctx.Done():
		return false
	}
}

const (
	// answerLook is how often it is looked whether an outside log answers whoever stops, answerWithin how long that may take, and
	// answersMissed how often in a row it may fail.
	answerLook    = 500 * time.Millisecond
	answerWithin  = time.Second
	answersMissed = 4
)

// closeUnanswered closes the connection to an outside log that does not answer, until stop is called: whatever waits for an answer then
// fails at once. The others take this worker's partitions over as those of a dead one.
func (p *Pipeline) closeUnanswered(ctx context.Context) (stop func()) {
	if p.server != nil || p.log == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var looking sync.WaitGroup
	looking.Go(func() {
		tick := time.NewTicker(answerLook)
		defer tick.Stop()
		for missed := 0; missed < answersMissed; {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			asking, done := context.WithTimeout(ctx, answerWithin)
			_, err := p.log.Bronze().Info(asking)
			done()
			if missed++; err == nil || ctx.Err() != nil {
				missed = 0
			}
		}
		p.opts.Logger.Warn("stopping without the log, which does not answer")
		p.conn.Close()
	})
	return func() {
		cancel()
		looking.Wait()
	}
}

// closeTables closes the tables and their state, if they are open.
func (p *Pipeline) closeTables(ctx context.Context) error {
	var errs []error
	if p.gold != nil {
		errs = append(errs, p.gold.Close())
		p.gold = nil
	}
	if p.store != nil {
		errs = append(errs, p.store.CloseWithin(ctx))
		p.store = nil
	}
	return errors.Join(errs...)
}
