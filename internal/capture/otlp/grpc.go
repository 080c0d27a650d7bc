package otlp

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // exporters may compress
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"assay/internal/capture"
)

// GRPC returns a server of the two export services. A token that is not empty is asked of every call, as
// `authorization: Bearer …`.
func (r *Receiver) GRPC(token string) *grpc.Server {
	server := grpc.NewServer(grpc.MaxRecvMsgSize(ExportBytesMax), grpc.UnaryInterceptor(bearer(token)))
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
	left, err := t.receiver.export(ctx, Traces, request.MarshalJSON)
	return traceResponse(left), rpcError(err)
}

type logs struct {
	plogotlp.UnimplementedGRPCServer
	receiver *Receiver
}

// Export takes log records and answers when they are durable.
func (l *logs) Export(ctx context.Context, request plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	left, err := l.receiver.export(ctx, Logs, request.MarshalJSON)
	return logResponse(left), rpcError(err)
}

// export takes one export, once it is rendered as JSON.
func (r *Receiver) export(ctx context.Context, signal Signal, render func() ([]byte, error)) (left rejected, err error) {
	if err := r.enter(); err != nil {
		return left, err
	}
	defer r.leave()
	export, err := render()
	if err != nil {
		return left, fmt.Errorf("%w: %w", capture.ErrRequest, err)
	}
	return r.take(ctx, signal, export)
}

// rpcError tells an exporter whether it is worth sending again.
func rpcError(err error) error {
	if err == nil {
		return nil
	}
	return refusalOf(err).grpc().Err()
}
