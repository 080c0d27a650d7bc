package audit

import (
	"context"
	"slices"

	"assay/internal/ops/deadletter"
	"assay/internal/query/replay"
	"assay/streams"
)

// Nothing that cannot be decoded may go unseen: each such event has its letter on DEAD, which changes only at its ends.

// readLetters notes the letters that DEAD had at the moment of rest, and which of them its limits may have taken since.
func (a *audit) readLetters(ctx context.Context, upTo uint64) (err error) {
	if err := a.letters.Read(ctx, a.Log.Dead(), upTo, a.ourLetter); err != nil {
		return err
	}
	a.reached.KeptFrom, err = a.Log.LettersKeptFrom(ctx)
	return err
}

// expectLetters notes the letters that frames yield.
func (t *traces) expectLetters(rows *replay.Rows) error {
	return t.letters.Expect(slices.DeleteFunc(rows.Letters, func(l deadletter.Letter) bool { return !t.ourLetter(&l) }))
}

// ourLetter reports whether a letter is of the audited workflow.
func (a *audit) ourLetter(l *deadletter.Letter) bool {
	return a.Workflow == "" || l.Workflow == a.Workflow
}

// auditLetters compares them.
func (a *audit) auditLetters(ctx context.Context) error {
	tally := Tally{Table: streams.StreamDead}
	span := deadletter.Span{First: a.report.FirstSeq, Last: a.report.LastSeq, KeptFrom: a.reached.KeptFrom}
	counts, err := a.letters.Compare(ctx, a.Log.Bronze(), span, func(f *deadletter.Finding) error {
		finding := Different
		switch {
		case f.Missing():
			finding = Missing
		case f.Right || !f.Expected:
			finding = Unexpected
		}
		a.report.add(&tally, Difference{
			Key: f.String(), Finding: finding, Columns: f.Parts, BronzeSeq: f.Seq, Position: &f.Position,
		}, a.ListMax)
		return nil
	})
	if err != nil {
		return err
	}
	tally.Expected, tally.Stored, tally.Unprovable = counts.Expected, counts.Stored, counts.Unprovable
	a.report.Tables = append(a.report.Tables, tally)
	return nil
}
