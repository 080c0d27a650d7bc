package silver

import (
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"assay/consumers/bronze"
	"assay/kernels"
	"assay/streams"
)

// Headers of a message on DEAD besides those of a frame; its body is the event's raw bytes.
const (
	HeaderReason    = "Assay-Reason"
	HeaderBronzeSeq = "Assay-Bronze-Seq"
	HeaderWorkflow  = "Assay-Workflow"
)

// SubjectDeadBatch is where on DEAD the messages of SILVER lie that are no batch.
const SubjectDeadBatch = "dead.silver"

// Limits of a letter, in bytes.
const (
	reasonBytesMax = 1 << 10
	// letterBytesMax bounds the body, so that a letter with its headers fits into one fetch. BRONZE has the whole.
	letterBytesMax = streams.FetchBytesMax - 1<<20
)

// HeaderEventUUID is the header of a message on PROMOTION that carries its identity; its body is the event's JSON.
const HeaderEventUUID = "Assay-Event-Uuid"

// DeadLetter renders an event that cannot be decoded. Its message id is where it stands, so that decoding its frame
// again does not write a second letter while the log remembers the first.
func DeadLetter(e *bronze.Event) *nats.Msg {
	seq := strconv.FormatUint(e.BronzeSeq, 10)
	position := strconv.FormatUint(e.Position, 10)
	msg := nats.NewMsg("dead." + e.Source)
	msg.Header.Set(streams.HeaderStream, streams.EscapeHeader(e.StreamID))
	msg.Header.Set(streams.HeaderPosition, position)
	msg.Header.Set(HeaderWorkflow, streams.EscapeHeader(e.WorkflowID))
	msg.Header.Set(HeaderBronzeSeq, seq)
	msg.Header.Set(HeaderReason, oneLine(e.Reason))
	msg.Header.Set(nats.MsgIdHdr, seq+"/"+position)
	msg.Data = e.Raw[:min(len(e.Raw), letterBytesMax)]
	return msg
}

// PromotionLetter renders a message of PROMOTION that turned out to be no promotion; seq is its sequence there.
func PromotionLetter(workflow, eventUUID, reason string, seq uint64, body []byte) *nats.Msg {
	msg := nats.NewMsg("dead.promotion")
	msg.Header.Set(HeaderWorkflow, streams.EscapeHeader(workflow))
	msg.Header.Set(HeaderEventUUID, eventUUID)
	msg.Header.Set(HeaderReason, oneLine(reason))
	msg.Header.Set(nats.MsgIdHdr, "promotion/"+strconv.FormatUint(seq, 10))
	msg.Data = body
	return msg
}

// BatchLetter renders a message of SILVER that turned out to be no batch; seq is its sequence there.
func BatchLetter(reason string, seq uint64, body []byte) *nats.Msg {
	name := strconv.FormatUint(seq, 10)
	msg := nats.NewMsg(SubjectDeadBatch)
	msg.Header.Set(HeaderReason, oneLine("message "+name+" of SILVER: "+reason))
	msg.Header.Set(nats.MsgIdHdr, "silver/"+name)
	msg.Data = body[:min(len(body), letterBytesMax)]
	return msg
}

// PromotionMessage renders an event that asks for publication as the message of PROMOTION that says so.
func PromotionMessage(ns uuid.UUID, e *bronze.Event) *nats.Msg {
	id := EventUUID(ns, e).String()
	msg := nats.NewMsg("promotion." + streams.EscapeToken(e.WorkflowID))
	msg.Header.Set(HeaderEventUUID, id)
	msg.Header.Set(HeaderWorkflow, streams.EscapeHeader(e.WorkflowID))
	msg.Header.Set(HeaderBronzeSeq, strconv.FormatUint(e.BronzeSeq, 10))
	msg.Header.Set(nats.MsgIdHdr, id)
	msg.Data = []byte(e.Payload)
	return msg
}

// EventUUID is the identity of one event, as Batch computes it by column.
func EventUUID(ns uuid.UUID, e *bronze.Event) uuid.UUID {
	return kernels.UUID(ns, string(appendEventName(nil, e)))
}

// oneLine makes a header of a reason, one that comes back from the log as it is.
func oneLine(reason string) string {
	reason = strings.ToValidUTF8(reason[:min(len(reason), reasonBytesMax)], "")
	return strings.Trim(strings.NewReplacer("\r", " ", "\n", " ").Replace(reason), " \t")
}
