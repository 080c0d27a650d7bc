package bronze

import (
	"github.com/valyala/fastjson"

	"assay/streams"
)

// decodeJSONRPC decodes a JSON-RPC 2.0 message of a frame.
//
// A request and its answer share an intent, <session>/<side>/<id>, where the side is the requester's, since both sides number
// their own requests, and the id is its JSON text, since 1 and "1" are two. The session is the stream; that of a client's request
// over HTTP, which is answered in the same exchange, is the exchange, since clients may number the requests of each anew. An id of
// null, as an answer to a message that could not be parsed has it, is none.
func decodeJSONRPC(e *Event, v *fastjson.Value, f *streams.Frame) {
	method := text(v, "method")
	id := rpcID(v.Get("id"))
	switch {
	case method != "" && present(v, "id"):
		e.Kind, e.Phase = KindRPCRequest, PhaseStart
		e.IntentID = rpcIntent(e, f, orElse(f.Side, requesterOf(method)), id)
		decodeCall(e, v, method)
	case method != "":
		e.Kind = KindRPCNotification
		decodeNotification(e, v, method, f)
	case present(v, "error"):
		e.Kind, e.Phase, e.Status = KindRPCError, PhaseError, StatusError
		e.IntentID = rpcIntent(e, f, orElse(other(f.Side), streams.SideClient), id)
		e.Error = errorText(v.Get("error"))
	case v.Exists("result"):
		e.Kind, e.Phase, e.Status = KindRPCResponse, PhaseEnd, StatusOK
		e.IntentID = rpcIntent(e, f, orElse(other(f.Side), requesterFor(v.Get("result"))), id)
		decodeResult(e, v.Get("result"))
	default:
		e.Kind = KindRPCInvalid
	}
}

// rpcIntent is the intent of the request that requester numbered id.
func rpcIntent(e *Event, f *streams.Frame, requester streams.Side, id string) string {
	if id == "" {
		return ""
	}
	session := e.StreamID
	if f.Exchange != "" && requester == streams.SideClient {
		session = valid(f.Exchange)
	}
	return session + "/" + string(requester) + "/" + id
}

// rpcID is the JSON text of an id, "" if there is none: a string in quotation marks, or a number.
func rpcID(v *fastjson.Value) string {
	if is(v, fastjson.TypeString) {
		return quote(v.GetStringBytes())
	}
	return scalar(v)
}

func other(s streams.Side) streams.Side {
	switch s {
	case streams.SideClient:
		return streams.SideServer
	case streams.SideServer:
		return streams.SideClient
	}
	return ""
}

func orElse(s, inferred streams.Side) streams.Side {
	if s == streams.SideClient || s == streams.SideServer {
		return s
	}
	return inferred
}
