// Package embed turns texts into vectors.
//
//	Hashing:   text ──► lower-case words ──► words, pairs, trigrams of letters ──► hashed to ±1 in 256 places ──► length 1
//
//	Endpoint:  texts ──► batches ──► rate limit ──► POST /v1/embeddings ──► vectors
//	                                     ▲               │
//	                                     └── backoff ◄───┘ unreachable, 408, 429, 5xx
//
// Hashing is the built-in embedder: it needs no model and no network, and gives the same vector on every machine. It finds
// texts that share words or parts of words; it knows nothing of meaning. Endpoint asks a model behind the API that OpenAI
// made common. Since that may take any time, Gold is given Later in its place, and internal/ops/embedding fills the vectors in.
package embed
