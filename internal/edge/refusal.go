package edge

import (
	"slices"

	"github.com/nats-io/nats.go"

	"assay/consumers/bronze"
	"assay/streams"
)

// Decode is what becomes of a frame, forgotten events included: silver.Options.Events without Forgotten.
type Decode func(m streams.Message) []bronze.Event

// forgottenFrame tells whether a frame holds nothing but what is forgotten. One without events is its workflow's.
func (d Decode) forgottenFrame(m streams.Message, forgotten func(workflow string) bool) bool {
	events := d(m)
	if len(events) == 0 {
		_, workflow, err := streams.ParseSubject(m.Subject)
		return err == nil && forgotten(workflow)
	}
	return !slices.ContainsFunc(events, func(e bronze.Event) bool { return !forgotten(e.WorkflowID) })
}

// refused takes out the messages that a log with tombstones does not take: those that their edge stored before all that they hold was
// forgotten. It returns how many these are.
func (d Decode) refused(tombstones *streams.Forgotten, msgs []*nats.Msg) (taken []*nats.Msg, refused int) {
	for _, msg := range msgs {
		at := streams.EdgeTime(msg.Header)
		if tombstones.Since(at) && d.forgottenFrame(
			streams.Message{Subject: msg.Subject, Header: msg.Header, Data: msg.Data, Bytes: len(msg.Data), Time: at},
			func(workflow string) bool { return tombstones.HadBefore(workflow, at) },
		) {
			refused++
			continue
		}
		taken = append(taken, msg)
	}
	return taken, refused
}
