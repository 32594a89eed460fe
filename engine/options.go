// Options of an Engine.

package engine

import (
	"log/slog"
	"math"
	"time"

	"cairn/engine/query"
	"cairn/engine/sink"
	"cairn/engine/store"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options configure an Engine. Zero fields take the defaults noted below.
//
// Sites returns the current sites. The engine calls it whenever it needs the list, from any
// goroutine, and does not change the list.
type Options struct {
	Dir        string
	Sites      func() []*Site // nil = none
	Memory     int64          // budget of the process in bytes; 0 = 256 MiB
	Dedup      time.Duration  // how long a message id is remembered, in stored time (see dedup_window.go); 0 = 24 h
	Purge      time.Duration  // within how long the files have nothing of a deleted event any more; 0 = 24 h
	Reserve    int64          // free bytes kept on the disk; 0 = depends on the disk's size, -1 = no check
	QueueBytes int64          // bytes of encoded events that may wait for the sequencer; 0 = 8 MiB
	QueryTime  time.Duration  // time limit of one query; 0 = 10 s

	// DeletionCopies is the directory to which the seqs of each deletion are copied, for a restore
	// of an older snapshot; "" = none.
	DeletionCopies string

	// RetentionBytes returns how large the store may become before the oldest days are deleted;
	// 0 = it has no limit, as when RetentionBytes is nil.
	RetentionBytes func() int64

	// Retained is told of each deletion that retention_days or retention_bytes makes; nil = nobody is.
	Retained func(site *query.Site, r query.Receipt)

	Found     *store.Found // what store.Look has just found in Dir; nil = Open looks itself
	KeysNoted bool         // keys.toml has a checksum, and the store notes that from now on
	// ReadOnly opens an existing store on a disk without space, and writes nothing: every
	// write is refused with ErrDiskFull.
	ReadOnly bool
	// Look with ReadOnly opens the store to look at it: a snapshot, or data that another server
	// may take over. Every write is refused with ErrReadOnly, and the store counts as ready.
	Look bool

	// Sinks are the places that rows are carried to; CarryTo changes them. The engine closes each.
	Sinks []sink.Config

	// SinksFollow says that CarryTo will be called soon: until then retention waits as for a sink.
	SinksFollow bool

	// Pending keeps an Open that finds no space, for the next Open of the same directory. nil =
	// the directory cannot be opened again by this process after such an Open.
	Pending *Pending

	FS     vfs.FS           // nil = the real file system
	Now    func() time.Time // the wall clock: when events are received; nil = time.Now
	Log    *slog.Logger     // nil = discard
	Fatal  func(error)      // called once when the store can no longer take writes; nil = os.Exit(70)
	Enrich Enricher         // nil = none

	// Elapsed is the time since some moment before Open, by a clock that is never set. All
	// that waits or expires goes by it. nil = the system's monotonic clock.
	Elapsed func() time.Duration

	Visitors Visitors // assigns ids to clients that send none; nil = these have no id

	SealRows  int // events of one site in memory before they are sealed into a run; 0 = 65,536
	HotEvents int // events in memory over all sites; 0 = 524,288
	Pairs     int // pairs of a value and a user or session that all queries together hold in memory; 0 = as PlanMemory says
	Tuples    int // rows or people that one report of people or paths holds in memory, a power of two; 0 = by Memory, at most 1,048,576
	IDPart    int // bytes of changed ids that are written with one group; 0 = as PlanMemory says

	Rest time.Duration // without an event, until memory that writing needs is given back; 0 = 10 s

	// ValuesPerDay is how many values of a property counters tell apart on one day of a
	// site; 0 = ValuesPerDayMax.
	ValuesPerDay int

	// NamesPerDay is how many property names counters tell apart on one day of a site; 0 =
	// NamesPerDayMax.
	NamesPerDay int

	MergeRuns int // number of runs that are merged into one; 0 = 16
	MergeRows int // events of a run that is not merged any more; 0 = 80 × SealRows
}

// purgeDefault is Options.Purge unless Options have another.
const purgeDefault = 24 * time.Hour

// QueryTimeDefault is the time limit of one query unless Options have another. Tests of the whole
// binary shorten it.
var QueryTimeDefault = 10 * time.Second

// SitesOf returns a value for Options.Sites if the sites never change.
func SitesOf(sites ...*Site) func() []*Site { return func() []*Site { return sites } }

// withDefaults returns o with the zero fields filled in.
func (o Options) withDefaults() Options {
	def := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	def(&o.Memory, 256<<20)
	o.Memory = min(o.Memory, math.MaxInt) // a 32-bit process cannot have more
	def(&o.QueueBytes, 8<<20)
	if o.Dedup == 0 {
		o.Dedup = 24 * time.Hour
	}
	if o.Purge == 0 {
		o.Purge = purgeDefault
	}
	if o.QueryTime == 0 {
		o.QueryTime = QueryTimeDefault
	}
	if o.Sites == nil {
		o.Sites = SitesOf()
	}
	if o.RetentionBytes == nil {
		o.RetentionBytes = func() int64 { return 0 }
	}
	if o.Retained == nil {
		o.Retained = func(*query.Site, query.Receipt) {}
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Elapsed == nil {
		start := time.Now()
		o.Elapsed = func() time.Duration { return time.Since(start) }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.SealRows == 0 {
		o.SealRows = 1 << 16
	}
	if o.HotEvents == 0 {
		o.HotEvents = 1 << 19
	}
	if o.Tuples == 0 {
		o.Tuples = int(PlanMemory(o.Memory).Tuples)
	}
	if o.Pairs == 0 {
		o.Pairs = int(PlanMemory(o.Memory).Pairs)
	}
	if o.IDPart == 0 {
		o.IDPart = int(PlanMemory(o.Memory).IDPart)
	}
	if o.Rest == 0 {
		o.Rest = 10 * time.Second
	}
	if o.ValuesPerDay == 0 {
		o.ValuesPerDay = ValuesPerDayMax
	}
	if o.NamesPerDay == 0 {
		o.NamesPerDay = NamesPerDayMax
	}
	if o.MergeRuns == 0 {
		o.MergeRuns = 16
	}
	if o.MergeRows == 0 {
		o.MergeRows = 80 * o.SealRows
	}
	return o
}
