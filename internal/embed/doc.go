// Package embed turns texts into vectors.
//
//	Static:    text ──► tokens (BPE, WordPiece) ──► their rows of a table, added up ──► length 1
//
//	Hashing:   text ──► lower-case words ──► words, pairs, trigrams of letters ──► hashed to ±1 in 256 places ──► length 1
//
//	Endpoint:  texts ──► batches ──► rate limit ──► POST /v1/embeddings ──► vectors
//	                                     ▲               │
//	                                     └── backoff ◄───┘ unreachable, 408, 429, 5xx
//
// Static and Hashing are built in: they need no network, and give the same vector on every machine. Static finds texts that mean
// alike; its model is put into the program by `make model`, or named in the settings. Hashing takes its place where there is
// none: it finds texts that share words or parts of words and knows nothing of meaning. Endpoint asks a model behind the API that OpenAI
// made common. Since that may take any time, Gold is given Later in its place, and internal/ops/embedding fills the vectors in.
package embed
