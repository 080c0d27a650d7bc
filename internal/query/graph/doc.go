// Package graph draws the usage graph: who called what, how often and how well.
//
//	usage graph ──┬──────────────────────────► JSON, DOT: whole, for programs
//	              └─► picture ──┬────────────► Mermaid
//	                  bounded,  └─► places ──► SVG
//	                  callers alike are one box
package graph
