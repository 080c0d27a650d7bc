package streams

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

const (
	// storeDir is the folder of the data directory that holds the log.
	storeDir = "log"
	// listenTimeout limits the wait for ports to open once the store has been recovered.
	listenTimeout = 10 * time.Second
	// healthInterval is how often a running server is asked whether its log still works.
	healthInterval = time.Second
)

// storeBytesDefault is used where no limit is given: the streams' own limits bound the disk, and the server's default, a
// share of what is free at the moment, would keep a log from being opened on a fuller disk.
const storeBytesDefault = 1 << 50

// ServerConfig configures the embedded server. Only DataDir is required.
type ServerConfig struct {
	DataDir    string // holds the log and the lock; created if absent
	ConfigFile string // NATS configuration file; wins over Config
	Config     []byte // NATS configuration, in the syntax of nats.conf

	MaxStoreBytes   int64 // disk for all streams together; 0: what the configuration says, else 1 PiB
	MaxMemoryBytes  int64 // memory for streams and consumers kept there; 0: what the configuration says
	MaxPayloadBytes int32 // largest message; 0: what the configuration says

	Listen string       // host:port for other NATS clients; "": what the configuration says, else no port at all
	Logger *slog.Logger // of the server's own messages; nil: none
}

// Server is a NATS server with JetStream inside this process.
type Server struct {
	nats  *server.Server
	log   *serverLog
	lock  *dirLock
	fatal chan error // see Err

	stopOnce sync.Once
	stopping chan struct{} // closed when Stop begins
	watching chan struct{} // closed when watch has returned
}

// StartServer locks the data directory, starts a server on it and returns when the log has been recovered and clients
// are served. A recovery that has begun is not cut short: if ctx ends meanwhile, it is finished and then the server stopped.
//
// Errors wrap ErrLocked if another process uses the directory and ErrServer otherwise.
func StartServer(ctx context.Context, cfg ServerConfig) (*Server, error) {
	opts, err := cfg.options()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrServer, err)
	}
	if err := os.MkdirAll(opts.StoreDir, 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrServer, err)
	}
	lock, err := lockDir(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	s, err := start(ctx, opts, cfg.Logger)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrServer, err), lock.release())
	}
	s.lock = lock
	return s, nil
}

// Connect opens a connection inside the process, which passes no network and needs no port.
func (s *Server) Connect(opts ...nats.Option) (*nats.Conn, error) {
	own := []nats.Option{
		nats.InProcessServer(s.nats),
		nats.Name("assay"),
		nats.ReconnectWait(100 * time.Millisecond),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { s.log.Warnf("connection: %v", err) }),
	}
	nc, err := nats.Connect("", append(own, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("%w: connect inside the process: %w", ErrServer, err)
	}
	return nc, nil
}

// URL is where other NATS clients reach the server, "" if it listens nowhere.
func (s *Server) URL() string {
	if s.nats.Addr() == nil {
		return ""
	}
	return s.nats.ClientURL()
}

// Err delivers one error if the server dies or its log fails before Stop, and is closed when the server has stopped.
func (s *Server) Err() <-chan error { return s.fatal }

// Stop hands leadership over to other servers of a cluster, flushes the log and returns when the server is down and the
// data directory unlocked. Connections should be drained before. If ctx ends first, the hand-over is cut short.
func (s *Server) Stop(ctx context.Context) error {
	var err error
	s.stopOnce.Do(func() {
		close(s.stopping)
		<-s.watching
		s.shutdown(ctx)
		err = s.lock.release()
		close(s.fatal)
	})
	return err
}

// shutdown goes through the lame duck mode where the server listens, so that clients move on before it is gone.
func (s *Server) shutdown(ctx context.Context) {
	if s.nats.Addr() != nil {
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			s.nats.LameDuckShutdown()
		}()
		select {
		case <-gone:
		case <-ctx.Done():
		}
		defer func() { <-gone }()
	}
	s.nats.Shutdown()
	s.nats.WaitForShutdown()
}

// options renders the configuration as the server's own. What Assay depends on is set here, whatever a file says.
func (cfg ServerConfig) options() (*server.Options, error) {
	if cfg.DataDir == "" {
		return nil, errors.New("no data directory given")
	}
	opts, err := cfg.parse()
	if err != nil {
		return nil, err
	}
	opts.NoSigs = true // else the server would end the whole process on a signal
	opts.JetStream = true
	opts.StoreDir = filepath.Join(cfg.DataDir, storeDir)
	if opts.Cluster.Port == 0 {
		opts.SyncAlways = true // with replicas, a majority is the guarantee; alone, only the disk is
	}
	setPositive(&opts.JetStreamMaxStore, cfg.MaxStoreBytes)
	if opts.JetStreamMaxStore <= 0 {
		opts.JetStreamMaxStore = storeBytesDefault
	}
	setPositive(&opts.JetStreamMaxMemory, cfg.MaxMemoryBytes)
	setPositive(&opts.MaxPayload, cfg.MaxPayloadBytes)
	return opts, cfg.setListen(opts)
}

func (cfg ServerConfig) parse() (*server.Options, error) {
	if cfg.ConfigFile != "" {
		return server.ProcessConfigFile(cfg.ConfigFile)
	}
	opts := &server.Options{}
	if len(cfg.Config) == 0 {
		return opts, nil
	}
	return opts, opts.ProcessConfigString(string(cfg.Config))
}

func (cfg ServerConfig) setListen(opts *server.Options) error {
	if cfg.Listen == "" {
		opts.DontListen = opts.Port == 0
		return nil
	}
	host, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen address %q is not host:port: %w", cfg.Listen, err)
	}
	opts.Host = host
	if opts.Port, err = strconv.Atoi(port); err != nil {
		return fmt.Errorf("listen address %q is not host:port: %w", cfg.Listen, err)
	}
	if opts.Port == 0 {
		opts.Port = server.RANDOM_PORT
	}
	return nil
}

// setPositive overrides a limit if the override is one.
func setPositive[T int32 | int64](limit *T, override T) {
	if override > 0 {
		*limit = override
	}
}

func start(ctx context.Context, opts *server.Options, logger *slog.Logger) (*Server, error) {
	ns, err := server.NewServer(opts)
	if err != nil {
		return nil, err
	}
	s := &Server{
		nats: ns, log: newServerLog(logger), fatal: make(chan error, 1),
		stopping: make(chan struct{}), watching: make(chan struct{}),
	}
	ns.SetLoggerV2(s.log, false, false, false)
	if err := s.recover(ctx, opts); err != nil {
		ns.Shutdown()
		ns.WaitForShutdown()
		return nil, err
	}
	go s.watch()
	return s, nil
}

// recover starts the server on its store, and looks at the store before and after unless a cluster decides what there is.
func (s *Server) recover(ctx context.Context, opts *server.Options) error {
	store := &inspection{dir: opts.StoreDir, log: s.log}
	alone := opts.Cluster.Port == 0
	if alone {
		if err := store.before(); err != nil {
			return err
		}
	}
	s.nats.Start()
	if err := s.ready(ctx); err != nil || !alone {
		return err
	}
	return store.after(s.nats)
}

// ready waits for the ports. A failure of Start shows only in the server's log.
func (s *Server) ready(ctx context.Context) error {
	select {
	case err := <-s.log.fatal:
		return err
	default:
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if !s.nats.ReadyForConnections(listenTimeout) {
		return fmt.Errorf("not ready after %v; is another process using its ports?", listenTimeout)
	}
	return nil
}

// watch reports the first sign that the server no longer does its work. A full disk, for instance, makes it disable
// JetStream and run on.
func (s *Server) watch() {
	defer close(s.watching)
	tick := time.NewTicker(healthInterval)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-s.stopping:
			return
		case err = <-s.log.fatal:
		case <-tick.C:
			switch {
			case !s.nats.Running():
				err = errors.New("it stopped")
			case !s.nats.JetStreamEnabled():
				err = fmt.Errorf("its log was disabled; is the disk of %s full?", s.nats.StoreDir())
			}
		}
		if err != nil {
			s.fatal <- fmt.Errorf("%w: %w", ErrServer, err)
			return
		}
	}
}
