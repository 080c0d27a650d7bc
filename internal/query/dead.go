package query

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// DeadRequest asks for a page of what could not be decoded.
type DeadRequest struct {
	Limit  int    // of one page; 0: DefaultDead
	Cursor string // DeadList.Next of the page before
}

// DeadList is a page of what could not be decoded, oldest first.
type DeadList struct {
	Dead []Dead `json:"dead"`
	Next string `json:"next,omitempty"` // cursor of the next page, "" if there is none
}

// Dead is an event that could not be decoded.
type Dead struct {
	Sequence   uint64    `json:"sequence"` // on DEAD
	BronzeSeq  uint64    `json:"bronze_seq"`
	StreamID   string    `json:"stream_id"`
	Position   uint64    `json:"position"`
	WorkflowID string    `json:"workflow_id"`
	Reason     string    `json:"reason"`
	Bytes      int       `json:"bytes"`
	At         time.Time `json:"at"`
	Raw        []byte    `json:"raw"` // base64 in JSON; of a long one the beginning
}

// Limits of a list of dead letters.
const (
	DefaultDead = 100
	MaxDeadPage = 1_000
)

// Dead implements View.
func (l *Local) Dead(ctx context.Context, request DeadRequest) (*DeadList, error) {
	after := uint64(0)
	if request.Cursor != "" {
		var err error
		if after, err = strconv.ParseUint(request.Cursor, 10, 63); err != nil {
			return nil, fmt.Errorf("%w: cursor %q is none that a list of dead letters ended with", ErrRequest, request.Cursor)
		}
	}
	letters, more, err := l.Operations.DeadLetters(ctx, after, clamp(request.Limit, DefaultDead, MaxDeadPage))
	if err != nil {
		return nil, err
	}
	list := &DeadList{Dead: letters}
	if letters == nil {
		list.Dead = []Dead{}
	}
	if more {
		list.Next = strconv.FormatUint(letters[len(letters)-1].Sequence, 10)
	}
	return list, nil
}
