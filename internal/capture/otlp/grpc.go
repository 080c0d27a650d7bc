package otlp

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // exporters may compress
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"assay/internal/capture"
	"assay/streams"
)

// GRPC returns a server of the two export services. A token that is not empty is asked of every call, as
// `authorization: Bearer …`.
func (r *Receiver) GRPC(token string) *grpc.Server {
	server := grpc.NewServer(grpc.MaxRecvMsgSize(r.bytesMax()), grpc.UnaryInterceptor(bearer(token)))
	ptraceotlp.RegisterGRPCServer(server, &traces{receiver: r})
	plogotlp.RegisterGRPCServer(server, &logs{receiver: r})
	return server
}

// bearer lets only calls with the token through.
func bearer(token string) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		got := append(metadata.ValueFromIncomingContext(ctx, "authorization"), "")
		if !authorized(token, got[0]) {
			return nil, status.Error(codes.Unauthenticated, needToken)
		}
		return next(ctx, request)
	}
}

type traces struct {
	ptraceotlp.UnimplementedGRPCServer
	receiver *Receiver
}

// Export takes spans and answers when they are durable.
func (t *traces) Export(ctx context.Context, request ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	export, err := request.MarshalJSON()
	if err == nil {
		err = t.receiver.take(ctx, Traces, export)
	}
	return ptraceotlp.NewExportResponse(), rpcError(err)
}

type logs struct {
	plogotlp.UnimplementedGRPCServer
	receiver *Receiver
}

// Export takes log records and answers when they are durable.
func (l *logs) Export(ctx context.Context, request plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	export, err := request.MarshalJSON()
	if err == nil {
		err = l.receiver.take(ctx, Logs, export)
	}
	return plogotlp.NewExportResponse(), rpcError(err)
}

// rpcError tells an exporter whether it is worth sending again.
func rpcError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, capture.ErrRequest), errors.Is(err, streams.ErrFrame), errors.Is(err, streams.ErrTooLarge):
		return status.Error(codes.InvalidArgument, err.Error())
	case errors.Is(err, streams.ErrFull):
		return status.Error(codes.ResourceExhausted, err.Error())
	default:
		return status.Error(codes.Unavailable, err.Error())
	}
}
