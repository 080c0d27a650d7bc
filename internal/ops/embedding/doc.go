// Package embedding gives episodes their vectors after they were written.
//
//	Gold ──► episodes without vector ──► find ──► embed, some batches at a time ──► compare ──► merge with vector
//	  │            ▲                      ▲               (no lock held)             └─ between two flushes of Gold ─┘
//	  └─ Wake ─────┼──────────────────────┘
//	        a model of another name
//
// Nothing waits for the embedder but its own episodes: they are found by their words at once, and by meaning once they have
// a vector. The table itself is the list of what is to do, so nothing is lost by a crash, and a change of model is no more
// than rows that name another one.
package embedding
