// Package chaos proves that nothing is lost: it runs the real program, lets producers send seeded input until all of it
// is acknowledged, disturbs the program with real faults, and then asks one oracle whether everything is where it belongs.
//
//	Load ──► producers ──HTTP──► assay (a child process) ──► Registry, Embeddings (the harness's own)
//	                               ▲
//	                  Fault ───────┘ kills, stops, drops, damages, fills, lies
//
//	oracle: data directory == that of an undisturbed run on the same input, audit clean, promotions published once
//
// What happens in a run is drawn from its seed: input, moments (as counts of acknowledged bodies), the bits that are
// flipped. The operating system's scheduling is not, so a run that found something may need a few repetitions.
//
// The short form is part of the tests. The long one is `make torture DURATION=1h SEED=7 FAULT=power,kill`.
package chaos
