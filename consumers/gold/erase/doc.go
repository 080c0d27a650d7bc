// Package erase takes all that the events of a workflow contributed out of Gold's state and tables, as if they had never come.
//
//	Forget ─► rows of the workflow's events ─► eraseEvent: identities, descent, counts
//	                                             └─► affected entities ─┬─► dropped, and taken out of metrics, graph, histories
//	                                                                    └─► made anew of their traces, where others contributed too
//	       ─► rows of the tables deleted ─► one commit ─► traces deleted ─► quarantines spread anew
//
// Sums have inverses. An entity has none, so it goes as a whole. Whatever stops Forget, calling it again ends it.
package erase
