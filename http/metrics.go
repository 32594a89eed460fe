package httpd

import (
	"maps"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"cairn/engine"
	"cairn/engine/event"
	"cairn/engine/query"
	"cairn/engine/sink"
)

// This file counts, and is the only one that writes Prometheus text (version 0.0.4).
// Names follow Prometheus' own advice: base units, _total for counters.
//
// No library does this. VictoriaMetrics/metrics writes no help texts, and
// prometheus/client_golang reorders labels, leaves out the heads of empty families and
// takes three times as long to observe a duration.

// secondsBounds are the buckets of request durations.
var secondsBounds = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// reasonsMax bounds the label values of one counter.
const reasonsMax = 64

// reasons is a counter by reason.
type reasons struct {
	mu sync.Mutex
	n  map[string]uint64
}

func (r *reasons) add(reason string, n uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n == nil {
		r.n = map[string]uint64{}
	}
	if _, ok := r.n[reason]; !ok && len(r.n) >= reasonsMax {
		reason = "other"
	}
	r.n[reason] += n
}

func (r *reasons) snapshot() map[string]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.n)
}

// metrics is all that http itself counts. Index 0 is for the server's own routes, the
// others for event.Dialects.
type metrics struct {
	requests [][600]atomic.Uint64 // by dialect and status
	seconds  []*engine.Histogram  // of requests, by dialect
	streams  reasons              // connections and streams refused
	rejected reasons              // before the engine saw them
	excluded reasons
	noIDs    reasons // ids that are none, by the word, see event.NoID
	origins  origins
	started  time.Time
}

func newMetrics() *metrics {
	n := len(event.Dialects) + 1
	m := &metrics{requests: make([][600]atomic.Uint64, n), seconds: make([]*engine.Histogram, n), started: time.Now()}
	for i := range m.seconds {
		m.seconds[i] = engine.NewHistogram(int64(time.Second), secondsBounds)
	}
	return m
}

func (m *metrics) refused(reason string) { m.streams.add(reason, 1) }

func (m *metrics) noID(word string) { m.noIDs.add(word, 1) }

func (m *metrics) request(dialect, status int, took time.Duration) {
	m.requests[dialect][min(max(status, 0), 599)].Add(1)
	m.seconds[dialect].Observe(int64(took))
}

// page is Prometheus text as it grows.
type page struct {
	b    []byte
	name string // of the metric at the end of b
}

func (p *page) head(name, kind, help string) {
	p.name = name
	p.b = append(p.b, "# HELP "+name+" "+help+"\n# TYPE "+name+" "+kind+"\n"...)
}

// value writes one sample; labels come in pairs.
func (p *page) value(name string, v float64, labels ...string) {
	p.b = append(p.b, name...)
	for i := 0; i+1 < len(labels); i += 2 {
		sep := byte(',')
		if i == 0 {
			sep = '{'
		}
		p.b = append(p.b, sep)
		p.b = append(p.b, labels[i]...)
		p.b = append(p.b, '=')
		p.b = appendLabel(p.b, labels[i+1])
	}
	if len(labels) > 1 {
		p.b = append(p.b, '}')
	}
	p.b = append(p.b, ' ')
	p.b = strconv.AppendFloat(p.b, v, 'f', -1, 64)
	p.b = append(p.b, '\n')
}

// appendLabel quotes a label's value. Prometheus knows three escapes, and refuses a page
// that is not UTF-8.
func appendLabel(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch r {
		case '\\', '"':
			b = append(b, '\\', byte(r))
		case '\n':
			b = append(b, '\\', 'n')
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

// put writes one sample. Samples of the same name follow each other, below one head.
func (p *page) put(name, kind, help string, v float64, labels ...string) {
	if name != p.name {
		p.head(name, kind, help)
	}
	p.value(name, v, labels...)
}

func (p *page) byReason(name, help string, n map[string]uint64) {
	p.head(name, "counter", help)
	for _, reason := range slices.Sorted(maps.Keys(n)) {
		p.value(name, float64(n[reason]), "reason", reason)
	}
}

func (p *page) histogram(name string, h engine.Buckets, labels ...string) {
	var total uint64
	bucket := append(labels[:len(labels):len(labels)], "le", "")
	for i, n := range h.Counts {
		total += n
		bound := "+Inf"
		if i < len(h.Bounds) {
			bound = strconv.FormatFloat(h.Bounds[i], 'f', -1, 64)
		}
		bucket[len(bucket)-1] = bound
		p.value(name+"_bucket", float64(total), bucket...)
	}
	p.value(name+"_sum", h.Sum, labels...)
	p.value(name+"_count", float64(total), labels...)
}

// appendMetrics writes everything.
func (s *Server) appendMetrics(b []byte) []byte {
	p, m, st := &page{b: b}, s.metrics, s.engine.Stats()

	p.put("cairn_build_info", "gauge", "The version of cairn and of Go.", 1, "version", s.version, "go", runtime.Version())

	name := func(i int) string {
		if i == 0 {
			return "server"
		}
		return string(event.Dialects[i-1])
	}
	p.head("cairn_http_requests_total", "counter", "Requests answered, by dialect and status.")
	for i := range m.requests {
		for status := range m.requests[i] {
			if n := m.requests[i][status].Load(); n > 0 {
				p.value("cairn_http_requests_total", float64(n), "dialect", name(i), "status", strconv.Itoa(status))
			}
		}
	}
	p.head("cairn_http_request_seconds", "histogram", "Time from the head of a request to its answer.")
	for i := range m.seconds {
		if h := m.seconds[i].Buckets(); h.Sum > 0 {
			p.histogram("cairn_http_request_seconds", h, "dialect", name(i))
		}
	}
	p.byReason("cairn_http_refused_total", "Connections refused or closed early, by reason, such as slow or malformed requests.", m.streams.snapshot())
	p.put("cairn_http_connections", "gauge", "Open connections.", float64(s.gate.Size()))
	p.put("cairn_http_connections_max", "gauge", "Limit of open connections; at this limit, the connection that has been silent longest is closed.", float64(s.gate.ConnsMax))
	p.put("cairn_http_body_budget_bytes", "gauge", "Free memory for large bodies and answers.", float64(s.budget.Available()))

	p.put("cairn_events_accepted_total", "counter", "Events stored.", float64(st.Accepted))
	p.put("cairn_events_duplicate_total", "counter", "Events not stored again because their message id was known.", float64(st.Duplicates))
	p.byReason("cairn_events_rejected_total", "Events refused, by reason; a request that cannot be decoded counts as one event.", m.rejectedOf(&st))
	p.byReason("cairn_events_excluded_total", "Events answered but not stored, because of a setting or rule, by reason.", m.excluded.snapshot())

	p.head("cairn_ids_refused_total", "counter", "Ids of users and visitors that are none, such as undefined, by the word. The events are stored without them.")
	noIDs := m.noIDs.snapshot()
	for _, word := range slices.Sorted(maps.Keys(noIDs)) {
		p.value("cairn_ids_refused_total", float64(noIDs[word]), "word", word)
	}
	m.origins.append(p)

	p.put("cairn_commits_total", "counter", "Groups of events committed.", float64(st.Commits))
	p.head("cairn_commit_seconds", "histogram", "Time to commit a group.")
	p.histogram("cairn_commit_seconds", st.CommitSeconds)
	p.head("cairn_sync_seconds", "histogram", "Time to fsync a group.")
	p.histogram("cairn_sync_seconds", st.SyncSeconds)
	p.head("cairn_group_events", "histogram", "Number of events in a group.")
	p.histogram("cairn_group_events", st.GroupEvents)
	p.put("cairn_queue_events", "gauge", "Events that wait to be committed.", float64(st.QueueEvents))
	p.put("cairn_queue_bytes", "gauge", "Bytes that wait to be committed.", float64(st.QueueBytes))
	p.put("cairn_hot_events", "gauge", "Events that are not yet sealed into a run (a sorted file of events).", float64(st.HotEvents))
	p.put("cairn_links_bytes", "gauge", "Memory that links between ids of persons take. A site has links in memory from the first query about its users on.", float64(st.LinkBytes))
	p.put("cairn_links_bytes_max", "gauge", "Share of the memory budget for links between ids of persons.", float64(st.LinkBytesMax))
	p.put("cairn_runs", "gauge", "Runs on disk.", float64(st.Runs))
	p.put("cairn_seals_total", "counter", "Runs made from new events.", float64(st.Seals))
	p.put("cairn_seal_seconds_total", "counter", "Time spent making runs from new events.", st.SealSeconds)
	p.put("cairn_corruptions_total", "counter", "Times that damaged data was found.", float64(st.Corruptions))
	p.put("cairn_retention_days_total", "counter", "Days of a site that were deleted because the store was larger than retention_bytes.", float64(st.RetentionDays))
	p.put("cairn_merges_total", "counter", "Runs made by merging other runs.", float64(st.Merges))
	p.put("cairn_merged_events_total", "counter", "Events written again by merges.", float64(st.MergedEvents))
	p.put("cairn_merge_seconds_total", "counter", "Time spent merging, including pauses.", st.MergeSeconds)
	p.put("cairn_rewrites_total", "counter", "Runs written again without deleted events.", float64(st.Rewrites))
	p.put("cairn_rewritten_events_total", "counter", "Events in these runs.", float64(st.RewrittenEvents))
	p.put("cairn_rewrite_seconds_total", "counter", "Time spent on writing them, including pauses.", st.RewriteSeconds)
	p.put("cairn_forget_seconds_total", "counter", "Time spent on ids of deleted events, including pauses.", st.ForgetSeconds)
	p.put("cairn_hidden_events", "gauge", "Deleted events that wait to be removed from the disk.", float64(st.HiddenEvents))
	p.head("cairn_deletions", "gauge", "Deletions by how far they have come: hidden from reads, rewritten without the events, forgotten ids, done.")
	for _, state := range query.DeletionStates {
		p.value("cairn_deletions", float64(st.Deletions[state]), "state", string(state))
	}
	p.put("cairn_dedup_window_seconds", "gauge", "How long message ids are remembered.", st.DedupWindowSeconds)
	p.put("cairn_disk_free_bytes", "gauge", "Free disk space for the store.", float64(st.DiskFreeBytes))
	p.put("cairn_disk_reserve_bytes", "gauge", "Writes are refused when less disk space than this is free.", float64(st.DiskReserveBytes))

	p.appendSinks(st.Sinks)

	s.appendProcess(p)
	if s.others != nil {
		s.others(p.put)
	}
	for _, m := range s.engine.StoreMetrics() {
		p.put(m.Name, m.Kind, m.Help, m.Value)
	}
	return p.b
}

// appendSinks writes what the sinks count.
func (p *page) appendSinks(all []sink.Stats) {
	each := func(name, kind, help string, value func(*sink.Stats) float64) {
		p.head(name, kind, help)
		for i := range all {
			p.value(name, value(&all[i]), "sink", all[i].Name)
		}
	}
	each("cairn_sink_rows_total", "counter", "Events that a sink has taken.", func(s *sink.Stats) float64 { return float64(s.Rows) })
	each("cairn_sink_bytes_total", "counter", "Bytes of these events, before compression.", func(s *sink.Stats) float64 { return float64(s.Bytes) })
	each("cairn_sink_sends_total", "counter", "Ranges of events that were sent to a sink, those sent again as well.", func(s *sink.Stats) float64 { return float64(s.Sends) })
	each("cairn_sink_send_seconds_total", "counter", "Time spent on sending to a sink.", func(s *sink.Stats) float64 { return s.SendSeconds })
	each("cairn_sink_errors_total", "counter", "Errors of a sink; what failed is tried again.", func(s *sink.Stats) float64 { return float64(s.Errors) })
	each("cairn_sink_lag_seconds", "gauge", "How long the first event waits that a sink lacks.", func(s *sink.Stats) float64 { return s.LagSeconds })
	each("cairn_sink_waiting_rows", "gauge", "Events that a sink lacks.", func(s *sink.Stats) float64 { return float64(s.Waiting) })
	each("cairn_sink_missed_rows_total", "counter", "Events that retention removed before a sink took them.", func(s *sink.Stats) float64 { return float64(s.Missed) })
	each("cairn_sink_skipped_rows_total", "counter", "Events that a sink refused and that were passed over.", func(s *sink.Stats) float64 { return float64(s.Skipped) })
	each("cairn_sink_check_missing_rows", "gauge", "Events that a sink lacked in the last nightly check.", func(s *sink.Stats) float64 { return float64(s.CheckMissing) })
	each("cairn_sink_check_surplus_rows", "gauge", "Events that a sink had once too often in the last nightly check.", func(s *sink.Stats) float64 { return float64(s.CheckSurplus) })
	each("cairn_sink_check_errors_total", "counter", "Nightly checks of a sink that failed and are tried again.", func(s *sink.Stats) float64 { return float64(s.CheckErrors) })
	each("cairn_sink_deletions_waiting", "gauge", "Deletions that a sink has not carried out yet.", func(s *sink.Stats) float64 { return float64(s.Deletions) })
	p.head("cairn_sink_state", "gauge", "1 for what a sink is doing: running, retry (an error that passes) or stopped.")
	for i := range all {
		for _, state := range []sink.State{sink.StateRunning, sink.StateRetry, sink.StateStopped} {
			is := 0.0
			if all[i].State == state {
				is = 1
			}
			p.value("cairn_sink_state", is, "sink", all[i].Name, "state", string(state))
		}
	}
}

// rejectedOf returns how many events were refused, by reason: before the engine saw them, and by
// the engine.
func (m *metrics) rejectedOf(st *engine.Stats) map[string]uint64 {
	rejected := m.rejected.snapshot()
	if rejected == nil {
		rejected = map[string]uint64{}
	}
	for reason, n := range st.Rejected {
		rejected[reason] += n
	}
	return rejected
}

// refusedEvents is what the native API tells the admin.
func (s *Server) refusedEvents() map[string]uint64 {
	st := s.engine.Stats()
	return s.metrics.rejectedOf(&st)
}
