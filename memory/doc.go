// Package memory is Assay inside another program: a durable log of what agents emit, refined exactly once, that can be
// searched and resumed from.
//
//	Append ──► log (on disk) ──► Silver ──► Gold ──► LanceDB ──┬─► Rehydrate: what is needed to resume a workflow
//	Record ──┘                                                 └─► Recall:    episodes by meaning and by words
//
// Events are durable when Append returns and come up in answers a moment later; Settle waits for that. A directory belongs to
// one process at a time, be it a Memory or `assay run`; `assay recall --data DIR` and any LanceDB client read what it holds.
//
// Besides sovereign and cmd, this is the one package that needs the native library (`make native`): what it opens is the
// whole of Assay. Nothing that builds without the library imports it.
package memory
