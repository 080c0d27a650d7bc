package rebuild

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nats-io/nats.go"

	"assay/consumers/bronze"
	"assay/consumers/silver"
	"assay/internal/ops/deadletter"
	"assay/streams"
)

// lettersDir is where, in the working directory, letters wait to be compared.
const lettersDir = "letters"

// Limits of what is mended at a time.
const (
	mendMax      = 512
	mendBytesMax = 8 << 20
)

// openLetters begins with an empty ledger each time: Build looks at all frames.
func (b *build) openLetters() (err error) {
	dir := filepath.Join(b.Data, workDir, lettersDir)
	if err := os.RemoveAll(dir); err != nil {
		return filesError(err)
	}
	b.letters, err = deadletter.Open(dir)
	return err
}

// mendLetters makes DEAD hold what the frames yield: what is missing is written again, then what is wrong is erased. What was
// written before does no harm if that is interrupted.
func (b *build) mendLetters(ctx context.Context) error {
	if b.Trial {
		return nil
	}
	if err := b.letters.Read(ctx, b.Log.Dead(), 0, nil); err != nil {
		return err
	}
	kept, err := b.Log.LettersKeptFrom(ctx)
	if err != nil {
		return err
	}
	m := mending{build: b}
	span := deadletter.Span{First: b.span.From, Last: b.span.To, KeptFrom: kept}
	_, err = b.letters.Compare(ctx, b.Log.Bronze(), span, func(f *deadletter.Finding) error { return m.mend(ctx, f) })
	if err == nil {
		err = m.flush(ctx)
	}
	if err != nil {
		return err
	}
	return b.Log.AcceptLetters(ctx)
}

// mending gathers what is to be written and erased.
type mending struct {
	*build
	seq    uint64 // of the frame that was read last
	events []bronze.Event
	write  []*nats.Msg
	bytes  int
	erase  []uint64
}

func (m *mending) mend(ctx context.Context, f *deadletter.Finding) error {
	if f.Expected && !f.Right {
		letter, err := m.letter(ctx, f.ID)
		if err != nil {
			return err
		}
		m.write = append(m.write, letter)
		m.bytes += len(letter.Data)
	}
	m.erase = append(m.erase, f.Wrong...)
	if len(m.write) < mendMax && m.bytes < mendBytesMax && len(m.erase) < mendMax {
		return nil
	}
	return m.flush(ctx)
}

// letter renders the letter of an event anew. It has no message id: the log may remember that of the letter which is lost.
func (m *mending) letter(ctx context.Context, id deadletter.ID) (*nats.Msg, error) {
	if m.seq != id.Seq {
		msg, err := m.Log.Bronze().GetMsg(ctx, id.Seq)
		if err != nil {
			return nil, fmt.Errorf("%w: read sequence %d: %w", ErrLog, id.Seq, err)
		}
		m.seq, m.events = id.Seq, m.Silver.Events(streams.MessageOf(msg))
	}
	for i := range m.events {
		if e := &m.events[i]; e.Position == id.Position && e.Disposition == bronze.Dead {
			letter := silver.DeadLetter(e)
			letter.Header.Del(nats.MsgIdHdr)
			return letter, nil
		}
	}
	return nil, fmt.Errorf("%w: event %v is another one now", ErrLog, id)
}

func (m *mending) flush(ctx context.Context) error {
	if err := m.Log.PublishMsgs(ctx, m.write...); err != nil {
		return err
	}
	m.result.LettersWritten += uint64(len(m.write))
	m.write, m.bytes = nil, 0
	erased, err := m.Log.EraseLetters(ctx, m.erase)
	m.result.LettersErased += uint64(erased)
	m.erase = nil
	return err
}
