package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/grpc"

	"assay/internal/app"
	"assay/internal/config"
	"assay/internal/httpguard"
)

// otlpServer takes telemetry at addresses of its own: over HTTP, and over gRPC at the port before.
type otlpServer struct {
	http *http.Server
	grpc *grpc.Server
	done chan error // of both
}

// startOTLP listens at settings.OTLP.Listen.
func startOTLP(ctx context.Context, settings config.Config, running *app.Pipeline, logger *slog.Logger) (*otlpServer, error) {
	receiver := running.OTLP()
	host, port, err := net.SplitHostPort(settings.OTLP.Listen)
	number, numberErr := strconv.Atoi(port)
	if err = errors.Join(err, numberErr); err != nil || number < 2 {
		return nil, fmt.Errorf("otlp.listen: %q is not host:port, such as 127.0.0.1:4318", settings.OTLP.Listen)
	}
	if ip := net.ParseIP(host); settings.HTTP.Token == "" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("otlp.listen: %s is reachable from elsewhere, so a token is needed: set http.token or ASSAY_HTTP_TOKEN", settings.OTLP.Listen)
	}
	guarded, err := httpguard.Guard(receiver.Routes(settings.HTTP.Token), httpguard.Options{
		Listen: settings.OTLP.Listen, Hosts: settings.HTTP.Hosts, Origins: settings.HTTP.Origins,
	})
	if err != nil {
		return nil, err
	}
	overHTTP, err := (&net.ListenConfig{}).Listen(ctx, "tcp", settings.OTLP.Listen)
	if err != nil {
		return nil, fmt.Errorf("otlp.listen: %w", err)
	}
	overGRPC, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(number-1)))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("otlp.listen: gRPC is at the port before: %w", err), overHTTP.Close())
	}
	s := &otlpServer{
		http: &http.Server{
			Handler: guarded, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
			MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		},
		grpc: receiver.GRPC(settings.HTTP.Token), done: make(chan error, 2),
	}
	go func() { s.done <- s.http.Serve(overHTTP) }()
	go func() { s.done <- s.grpc.Serve(overGRPC) }()
	return s, nil
}

// stop lets exports under way finish until ctx ends.
func (s *otlpServer) stop(ctx context.Context) error {
	if s == nil {
		return nil
	}
	cut := context.AfterFunc(ctx, s.grpc.Stop)
	s.grpc.GracefulStop()
	cut()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	for range 2 {
		if served := <-s.done; served != nil && !errors.Is(served, http.ErrServerClosed) && !errors.Is(served, grpc.ErrServerStopped) {
			err = errors.Join(err, served)
		}
	}
	return err
}
