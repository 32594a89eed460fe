// Package index keeps and answers for the fields of the log: which rows of a
// site hold which value. It knows (site, seq, field, value), never an event: a
// row is six integers and a set of (field, cell) pairs, a cell is opaque bytes
// whose order and terms the caller supplies (Format).
//
// # Parts
//
// A Part is a range of consecutive rows of one site, numbered from 0. There are
// two kinds, with one way to ask them: an Open part grows in memory, a Run is
// sealed, immutable and lies in Pebble. A Run is not only an index: its columns
// are the rows, and any row can be put together again from them.
//
// # A run, format version 1
//
// All keys of a run start with 0x50 | run u64, run ids are never reused, so the
// tables of two runs never overlap. Integers in keys are big endian.
//
//	0x50 | run | column u16 | section u8 | page u32     a page of a column
//	0x50 | run | 0xFFFD | 0 | page u32                  totals, see totals.go
//	0x50 | run | 0xFFFE | 0 | page u32                  filter of one column
//	0x50 | run | 0xFFFF | 0 | 0                         header, see header.go
//
//	section     holds
//	1 dict      the distinct cells of a column in Format.Compare order; code i+1 is
//	            the i-th, code 0 means the row has no such field
//	2 firsts    the first cell of every page of section 1
//	3 starts    for each code, how many rows have a lower one; card+1 integers
//	4 ints      the integers of an integer column, or the codes of a cell column
//	5 rowset    only for a sparse column: the rows that have it; section 4 then has
//	            a code for each of these rows alone
//	6 blocks    for each code, ascending: the stretches of 1,024 entries of section
//	            4 it is in; only where cells are many and each in few rows
//	7 lists     for each code, where its blocks begin in section 6; card+1 integers
//	8 leaves    hashes (sorted) of (path, term) inside arrays and objects
//	9 owners    the codes those hashes belong to, in the same order
//
// Sections 3 to 9 are integer pages (ints.go) of PageRows values, 1 and 2 have
// pages of about DictPageBytes (dict.go). Because a page is found by its number,
// reading one row costs one page a column whatever the size of the run. Lists of
// blocks rather than rows cost half as much room, and a block is looked through in
// a microsecond.
//
// A run is written in one stream (write.go), of a part in memory (build.go) or of
// the runs it replaces (merge.go); the bytes are the same.
//
// A run exists when, and only when, its descriptor does:
//
//	0x20 | site u32 | first u64 -> descriptor (descriptor.go)
//
// Keys of a run without a descriptor are left over from a crash and are removed
// at open.
//
// # Finding rows
//
// A Matcher (match.go) goes through a part window by window, the condition first
// that leaves the fewest rows. Where lists say which blocks a code is in, all
// others are passed over; else the codes are compared as they are packed
// (equal.go), and what was found in 65,536 rows is kept beside the pages
// (matches.go). How many rows have a code the starts tell without a look at any.
//
// # Invariants
//
//	X1  A run's bytes are a function of its rows, its totals and nothing else.
//	X2  Runs and the log's rows of a site tile its seqs without gap or overlap.
//	X3  A run's totals are the sum of its groups' deltas, and of its rows' counts.
package index
