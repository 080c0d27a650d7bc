// Package app puts the parts together: log, consumers and store, opened in the order in which they depend on each
// other and closed in the reverse.
//
//	Open ──► server ─► log ─► publisher            everything can be read and written, nothing is processed
//	            └────► gold state ─► store         or, where that is a bucket which is away, by Start as soon as it is there
//	Start ─► silver, gold, promotion               until Close, or until one of them fails
package app
