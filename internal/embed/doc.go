// Package embed turns texts into vectors.
//
//	text ──► lower-case words ──► words, pairs of words, trigrams of letters ──► hashed to ±1 in 256 places ──► length 1
//
// Hashing is the built-in embedder: it needs no model and no network, and gives the same vector on every machine. It finds
// texts that share words or parts of words; it knows nothing of meaning.
package embed
