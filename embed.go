// Package assay holds what is shipped inside the program: the configuration of its embedded NATS server.
package assay

import _ "embed"

// NATSConfig is nats.conf, which the embedded server runs with unless another file is named.
//
//go:embed nats.conf
var NATSConfig []byte
