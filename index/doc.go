// Package index stores the fields of the log by column and finds rows by their values. A
// row of a site is a few integers and a set of (field, cell) pairs. A cell is opaque bytes;
// the caller supplies their order and their terms (Format).
//
// The package imports nothing of cairn. It knows sites, seqs, fields and cells, and must
// not learn what an event, a query or a dialect is.
//
// # Parts
//
// A Part is a range of consecutive rows of one site, numbered from 0. There are two kinds,
// read through one interface: a MemPart grows in memory; a Run is sealed, immutable and
// stored in Pebble. The columns of a Run are the rows themselves, not just an index of
// them: every row can be put together again from its columns.
//
// # A run, format versions 1 and 2
//
// All keys of a run start with 0x50 | run u64. Run ids are never reused, so the tables of
// two runs never overlap. Integers in keys are big endian.
//
//	0x50 | run | column u16 | section u8 | page u32     a page of a column
//	0x50 | run | 0xFFFB | 0 | page u32                  counts, see counts.go
//	0x50 | run | 0xFFFC | 0 | page u32                  pairs, see pairs.go
//	0x50 | run | 0xFFFD | 0 | page u32                  totals, see totals.go
//	0x50 | run | 0xFFFE | 0 | page u32                  filter of one column
//	0x50 | run | 0xFFFF | 0 | 0                         header, see header.go
//
//	section     holds
//	1 dict      the distinct cells of a column in Format.Compare order; code i+1 is
//	            the i-th, code 0 means that the row lacks the field
//	2 firsts    for every page of section 1, a cell between the last one of the page
//	            before and its first one; in version 1 the first one itself. Readers look
//	            for a term among them
//	3 starts    for each code, how many rows have a lower one; card+1 integers
//	4 ints      the integers of an integer column, or the codes of a cell column
//	5 rowset    only in a sparse column: the rows that have the field; section 4
//	            then has codes only for these rows
//	6 lists     for each code, ascending: the blocks of 1,024 entries of section 4 that
//	            have it; only in columns with many cells that few rows have
//	7 list      for each code, where its list begins in section 6; card+1 integers
//	  starts
//	8 leaves    hashes (sorted) of each (path, term) inside arrays and objects
//	9 owners    the codes those hashes belong to, in the same order
//
// Sections 3 to 9 are integer pages (ints.go) of PageRows values. Sections 1 and 2 have
// pages of about DictPageBytes (dict.go). The number of a page follows from the row or the
// code, so reading one row costs one page for each column, whatever the size of the run.
// Lists name blocks instead of rows: that halves their size, and searching a block takes a
// microsecond.
//
// # Version 2, and what it leaves room for
//
// Version 2 adds sections with tags (section.go) to the end of the header and of the
// descriptor. Everything else is as in version 1, which is read for ever. Sealing and
// merging write version 2. A later change adds a section and needs no version 3. These
// are laid out:
//
//	where       tag  section
//	descriptor  1    days: which days the rows and totals are counted on, see Descriptor.Days
//	header      2    counts: what the pages of counts have, see countsHeader
//	header      3    pages: a kind of integer page or of dictionary page that version 2 did
//	                 not have from the start, such as pages without compression
//	header      4    bounds: the least and the greatest value of each page of rows, of the
//	                 integer column that is counted, see boundsHeader
//	header      6    pairs: which columns have pairs, see pairsHeader
//
// All but the section 3 are written today. Older readers skip the counts, the bounds and the
// pairs, and runs that they have written have none.
//
// # Counts
//
// The caller says which integer column a run counts, in which unit, and which field
// (Format.Counted). The counts are lists: how many rows are in each unit, of all rows and of
// those with each code of the field. cairn counts times by quarter of an hour of UTC, because the
// days and hours of every zone are sums of these. Blanks are not counted. What would be too large
// is left out, by limits that are a part of the format (counts.go): the list of rare codes where
// there are many, all lists by code where a run has few rows in many units, and all counts where
// the rows span too many units.
//
// Pairs are lists as well: of each code of another column, how many rows have it and each code of
// the counted field. A count of both needs no row then. Columns have them that have so few codes
// that all pairs are counted beside the rows and take a small share of their bytes (pairs.go). An
// array is a cell like any other: a term has the rows of all cells in which it is.
//
// A run is written in one stream (write.go), from a part in memory (build.go) or from the
// runs that it replaces (merge.go). Both ways write the same bytes.
//
// A run exists if and only if its descriptor does:
//
//	0x20 | site u32 | first u64 -> descriptor (descriptor.go)
//
// Keys of a run without a descriptor are left over from a crash. They are removed when the
// store is opened.
//
// # Finding rows
//
// A Matcher (match.go) searches a part window by window. The condition that leaves the
// fewest rows comes first. Where lists say which blocks have a code, the Matcher skips all
// other blocks. Where the bounds of pages are known, a range skips the pages outside of it
// and does not read those inside. Elsewhere a Matcher compares codes as they are packed
// (equal.go). The cache keeps the matches of each 65,536 rows beside the pages (matches.go).
// The starts tell how many rows have a code, without reading any.
//
// # Invariants
//
//	X1  A run's bytes are a function of its version, its rows, its totals and nothing else.
//	X2  Runs and the log's rows of a site tile its seqs without gap or overlap.
//	X3  A run's totals are the sum of its groups' deltas, and of its rows' counts.
//	X4  A run's counts, bounds and pairs are those of its rows. Where it has no list, rows answer.
//
// # Reading order
//
//	part.go                                the interface, and what the caller supplies
//	mempart.go memcolumn.go memwait.go     the part in memory
//	keys.go limits.go ints.go dict.go
//	header.go descriptor.go section.go
//	totals.go counts.go pairs.go varints.go
//	                                       the format, piece by piece
//	write.go write_column.go write_dict.go
//	write_counts.go write_pairs.go
//	build.go merge.go thin.go scratch.go   writing a run
//	run.go run_column.go cache.go
//	gather.go pagereads.go                 reading a run
//	match.go match_cond.go match_codes.go
//	match_terms.go equal.go
//	hidden.go matches.go bitmap.go
//	lookup.go                              finding rows
//	filter.go sizes.go                     the filter of one column, sizes on disk
package index
