package gold

import (
	"github.com/google/uuid"

	"assay/kernels"
)

// shedKey says what a shed counter counts.
type shedKey struct{ workflow, kind string }

func (k shedKey) id(namespace uuid.UUID) uuid.UUID {
	return kernels.UUID(namespace, kernels.JoinStrings("shed", k.workflow, k.kind))
}

// shedCount counts the events of one workflow and kind that were shed.
type shedCount struct {
	shedKey
	count, bytes int64
}

func (s *shedCount) encode() []byte {
	w := make(encoder, 0, 64)
	w.string(s.workflow)
	w.string(s.kind)
	w.int(s.count)
	w.int(s.bytes)
	return w
}

func decodeShed(record []byte) (*shedCount, error) {
	d := decoder{rest: record}
	s := &shedCount{shedKey{d.string(), d.string()}, d.int(), d.int()}
	return s, d.end()
}
