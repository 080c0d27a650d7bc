// Package lossy is a file system that forgets at a power cut what was not synced, can be told to fail, and to be slow. It is
// for tests: a FUSE layer over flat files, mounted by root, on Linux.
//
// What survives a cut:
//
//	of a file        the bytes as of its last fsync
//	of a directory   the entries as of its last fsync; a rename between two directories in both or in neither
//	unless Strict    an fsync of a file also keeps its name, and the names of the directories above, as ext4, XFS and
//	                 Btrfs do and POSIX does not promise
//
// Writes through a shared mapping reach the layer when the kernel writes them back, as on any disk.
package lossy
