package streams

import (
	"fmt"
	"log/slog"
	"strings"
)

// serverLog passes the server's log lines on and turns fatal ones into errors: the server reports a failed start nowhere
// else.
type serverLog struct {
	logger *slog.Logger
	fatal  chan error // the first fatal line
}

func newServerLog(logger *slog.Logger) *serverLog {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &serverLog{logger: logger.With("component", "nats"), fatal: make(chan error, 1)}
}

// Fatalf implements server.Logger.
func (l *serverLog) Fatalf(format string, args ...any) {
	select {
	case l.fatal <- fmt.Errorf(format, args...):
	default:
	}
	l.logger.Error(fmt.Sprintf(format, args...))
}

// Errorf implements server.Logger. A write error is fatal: the server tells it here and nowhere else, and from then on
// answers no write to that stream until it is started again, whether there is room again or not.
func (l *serverLog) Errorf(format string, args ...any) {
	if strings.Contains(strings.ToLower(format), "critical write error") {
		l.Fatalf(format, args...)
		return
	}
	l.logger.Error(fmt.Sprintf(format, args...))
}

// Warnf implements server.Logger. Of the payload limit the server warns at every start; nats.conf says why it is so.
func (l *serverLog) Warnf(format string, args ...any) {
	if !strings.HasPrefix(format, "Maximum payloads over") {
		l.logger.Warn(fmt.Sprintf(format, args...))
	}
}

// Noticef implements server.Logger. What the server finds notable about itself is detail here.
func (l *serverLog) Noticef(format string, args ...any) {
	l.logger.Debug(fmt.Sprintf(format, args...))
}

// Debugf implements server.Logger.
func (l *serverLog) Debugf(format string, args ...any) {
	l.logger.Debug(fmt.Sprintf(format, args...))
}

// Tracef implements server.Logger; tracing is never turned on.
func (l *serverLog) Tracef(format string, args ...any) {
	l.logger.Debug(fmt.Sprintf(format, args...))
}
