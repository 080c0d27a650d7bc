package bronze

import (
	"github.com/valyala/fastjson"

	"assay/streams"
)

// decodeJSONRPC decodes a JSON-RPC 2.0 message. sender is the side that sent it, "" if the capture did not know.
//
// A request and its answer share an intent, <stream>/<side>/<id>, where the side is the requester's, since both sides
// number their own requests. An id of null, as an answer to a message that could not be parsed has it, is none.
func decodeJSONRPC(e *Event, v *fastjson.Value, sender streams.Side) {
	method := text(v, "method")
	id := scalar(v.Get("id"))
	switch {
	case method != "" && present(v, "id"):
		e.Kind, e.Phase = KindRPCRequest, PhaseStart
		e.IntentID = rpcIntent(e, orElse(sender, requesterOf(method)), id)
		decodeCall(e, v, method)
	case method != "":
		e.Kind = KindRPCNotification
		decodeNotification(e, v, method, orElse(sender, streams.SideClient))
	case present(v, "error"):
		e.Kind, e.Phase, e.Status = KindRPCError, PhaseError, StatusError
		e.IntentID = rpcIntent(e, orElse(other(sender), streams.SideClient), id)
		e.Error = errorText(v.Get("error"))
	case v.Exists("result"):
		e.Kind, e.Phase, e.Status = KindRPCResponse, PhaseEnd, StatusOK
		e.IntentID = rpcIntent(e, orElse(other(sender), requesterFor(v.Get("result"))), id)
		decodeResult(e, v.Get("result"))
	default:
		e.Kind = KindRPCInvalid
	}
}

// rpcIntent is the intent of the request that requester numbered id.
func rpcIntent(e *Event, requester streams.Side, id string) string {
	if id == "" {
		return ""
	}
	return e.StreamID + "/" + string(requester) + "/" + id
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
