package config

// Setting describes one setting for the command line and the documentation.
type Setting struct {
	Key   string
	Flag  string // without the dashes
	Usage string
}

// Settings lists every setting that has a flag, in the order of Config. The natural keys are a table and so have none.
var Settings = []Setting{
	{"data", "data", "data directory"},
	{"namespace", "namespace", "UUID of the namespace in which identities lie"},
	{"memory", "memory", "memory that it should get by with, in bytes; 0 means what its control group (container) grants, or the machine has"},
	{"nats.url", "nats", "URL of an outside NATS server or cluster; without it one is embedded"},
	{"nats.credentials", "nats-credentials", "path of a .creds file for --nats"},
	{"nats.config", "nats-config", "path of a nats.conf for the embedded server"},
	{"nats.listen", "nats-listen", "host:port at which the embedded server also serves other NATS clients"},
	{"log.max_bytes", "log-max-bytes", "size at which the log refuses more, in bytes"},
	{"log.max_age", "log-max-age", "age at which frames leave the log, such as 720h; 0 keeps them"},
	{"log.ring", "log-ring", "true: a full log drops its oldest frames instead of refusing new ones"},
	{"log.replicas", "log-replicas", "copies of the log in a cluster"},
	{"log.ack_wait", "log-ack-wait", "longest that a consumer may work on a message before it is delivered again"},
	{"ingest.event_bytes", "ingest-event-bytes", "largest event, in bytes"},
	{"ingest.frame_bytes", "ingest-frame-bytes", "size, in bytes, at which events share a frame no longer"},
	{"ingest.linger", "ingest-linger", "longest wait of a live event for others to share its frame"},
	{"ingest.streams", "ingest-streams", "ingest requests open at once"},
	{"ingest.idle", "ingest-idle", "longest silence in the middle of an ingested body"},
	{"ingest.timeout", "ingest-timeout", "longest time that one ingested body may take; 0 means no limit"},
	{"ingest.body_bytes", "ingest-body-bytes", "largest ingested body, decompressed, in bytes; 0 means no limit"},
	{"http.listen", "http-listen", "host:port of the HTTP API; empty turns it off"},
	{"http.token", "http-token", "bearer token of the HTTP API; better set ASSAY_HTTP_TOKEN"},
	{"http.hosts", "http-hosts", "names that clients may use for the server besides localhost and http.listen, separated by commas"},
	{"http.origins", "http-origins", "origins of other sites' pages that may send requests, such as https://dashboard.example"},
	{"registry.url", "registry", "URL of the capability registry; without it promotions wait"},
	{"registry.kind", "registry-kind", "kind of registry: coreason or mcp"},
	{"registry.namespace", "registry-namespace", "namespace under which an MCP Registry lists promotions, such as com.example"},
	{"registry.token_file", "registry-token-file", "path of a file that holds the registry's bearer token"},
	{"registry.ca_file", "registry-ca-file", "path of a PEM file with more certificate authorities"},
	{"registry.proxy", "registry-proxy", "URL of a proxy to the registry; without it HTTPS_PROXY and its like count"},
	{"registry.timeout", "registry-timeout", "longest wait for an answer of the registry"},
	{"registry.concurrency", "registry-concurrency", "requests to the registry at a time"},
	{"registry.warn_age", "registry-warn-age", "wait of a promotion, such as 24h, that status and /readyz warn about; 0 turns that off"},
	{"embeddings.url", "embeddings", "URL of a server with OpenAI's /v1/embeddings; without it a built-in embedder compares words"},
	{"embeddings.model", "embeddings-model", "model that --embeddings serves"},
	{"embeddings.dimensions", "embeddings-dimensions", "length of the model's vectors"},
	{"embeddings.shorten", "embeddings-shorten", "true: ask for vectors of that length, where the model's own are longer"},
	{"embeddings.key_file", "embeddings-key-file", "path of a file that holds the key of --embeddings; or set ASSAY_EMBEDDINGS_KEY"},
	{"embeddings.batch", "embeddings-batch", "texts that one request embeds"},
	{"embeddings.rate", "embeddings-rate", "requests per second at most; 0 means no limit"},
	{"embeddings.timeout", "embeddings-timeout", "longest wait for an answer of --embeddings"},
	{"embeddings.attempts", "embeddings-attempts", "requests for one batch before it waits for the next round"},
	{"gate.low_watermark", "gate-low-watermark", "lag, in frames, below which nothing is shed"},
	{"gate.high_watermark", "gate-high-watermark", "lag, in frames, at which the shed threshold reaches its ceiling"},
	{"gate.ceiling", "gate-ceiling", "highest shed threshold, 0 to 1; 0 turns the load gate off"},
	{"gate.decay_threshold", "gate-decay-threshold", "threshold of the token gate for events without a contract"},
	{"gate.repair_marker_regex", "gate-repair-marker-regex", "pattern of the token gate for events without a contract"},
	{"gate.max_lookback_window", "gate-max-lookback-window", "window of the token gate, in tokens, for events without a contract"},
	{"silver.workers", "silver-workers", "parallel decoders"},
	{"silver.partitions", "silver-partitions", "subjects that Silver's batches are spread over"},
	{"silver.max_rows", "silver-max-rows", "rows of a micro-batch"},
	{"silver.max_bytes", "silver-max-bytes", "size of a micro-batch, in bytes"},
	{"silver.max_age", "silver-max-age", "longest wait of a row for its micro-batch"},
}
