package streams

import (
	"fmt"
	"time"
)

// Limits of what can be rebuilt or is small; only BRONZE's are settings.
const (
	silverBytesMax       = 4 << 30
	deadBytesMax         = 1 << 30
	promotionBytesMax    = 1 << 30
	publicationsBytesMax = 1 << 30
	stateBytesMax        = 64 << 20
	forgottenBytesMax    = 64 << 20
)

// Config says how the log is kept.
type Config struct {
	Replicas int   // copies of every message: 1, 3 or 5; more than 1 needs as many servers
	MaxBytes int64 // size limit of BRONZE
	// Partitions is into how many parts a new log is divided, by workflow; 0: one. One that exists keeps its number, and another
	// one is refused.
	Partitions int
	MaxAge     time.Duration
	// Reading leaves streams, consumers and buckets that exist as they are: for those who only come to read.
	Reading bool
	// Joining takes the log as it is and defines nothing: one that is not defined is ErrUndefined. For who works on a cluster's log.
	Joining bool
	// Fleet defines a new log as one that several workers share: with a journal of states, and buckets of members and owners.
	Fleet bool
	// Ring makes BRONZE forget its oldest frames when full. Otherwise it refuses new ones (ErrFull).
	Ring bool
	// Compress stores closed blocks of BRONZE compressed (S2): less disk, more work, and one rewrite of every block.
	Compress bool
	// DuplicateWindow is how long message ids are remembered, at about 200 bytes of memory each. It spares work after a
	// retry; what it misses is recognised by identity in the layers above.
	DuplicateWindow time.Duration
	// AckWait is how long a consumer may hold a message before it is delivered again.
	AckWait time.Duration
	// MaxAckPending is how many frames the Silver workers may hold together. At least twice what they fetch at a time.
	MaxAckPending int
}

// DefaultConfig returns the configuration of a single node.
func DefaultConfig() Config {
	return Config{
		Replicas:        1,
		MaxBytes:        32 << 30,
		DuplicateWindow: time.Minute,
		AckWait:         time.Minute,
		MaxAckPending:   10_000,
	}
}

// asItIs tells whether what exists of the log is left as it is.
func (c Config) asItIs() bool { return c.Reading || c.Joining }

// Validate reports the first setting out of its range. Errors wrap ErrConfig.
func (c Config) Validate() error {
	switch {
	case c.Replicas != 1 && c.Replicas != 3 && c.Replicas != 5:
		return fmt.Errorf("%w: replicas is %d; use 1, 3 or 5", ErrConfig, c.Replicas)
	case c.Partitions < 0 || c.Partitions > PartitionsMax:
		return fmt.Errorf("%w: partitions is %d; use 1 to %d", ErrConfig, c.Partitions, PartitionsMax)
	case c.MaxBytes <= 0:
		return fmt.Errorf("%w: size limit of the log is %d; use a positive number of bytes", ErrConfig, c.MaxBytes)
	case c.MaxAge < 0:
		return fmt.Errorf("%w: age limit of the log is %v; use 0 for none", ErrConfig, c.MaxAge)
	case c.DuplicateWindow < 100*time.Millisecond:
		return fmt.Errorf("%w: duplicate window is %v; use at least 100ms", ErrConfig, c.DuplicateWindow)
	case c.MaxAge > 0 && c.MaxAge < c.DuplicateWindow:
		return fmt.Errorf("%w: age limit %v is below the duplicate window %v", ErrConfig, c.MaxAge, c.DuplicateWindow)
	case c.AckWait < time.Second:
		return fmt.Errorf("%w: ack wait is %v; use at least 1s", ErrConfig, c.AckWait)
	case c.MaxAckPending < 1:
		return fmt.Errorf("%w: max ack pending is %d; use at least 1", ErrConfig, c.MaxAckPending)
	}
	return nil
}
