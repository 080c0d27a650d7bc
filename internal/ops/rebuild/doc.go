// Package rebuild makes the tables and Gold's state anew from the log, beside the old ones, and puts them in their place.
//
//	BRONZE ─► decode, gate, identify ─► fold ─► DATA/rebuild/new/{state,sovereign} ─► complete ─► Swap
//	             │                                    ▲
//	             │               promotions: what became of them, from the old table, as far as that can be read
//	             └─► letters ─► DEAD: those that are missing or wrong
//
// Until the new ones are complete the old ones stay as they are. A Build that was interrupted goes on where it was, if it is
// repeated by the same program with the same settings; else it begins again. Once the file complete exists the swap will
// happen, whatever interrupts it: each of its steps is a rename that can be seen to have been done.
package rebuild
