package backup

import (
	"context"
	"time"
)

// This file says how far the log is shipped.

// Began implements Shipper.
func (s *LogShipper) Began(_ context.Context, _ *Manifest, began time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.want != "" && !began.Before(s.wanted) {
		s.want, s.hole = "", false
	}
	return nil
}

// Due is sent to when the next Ship should not wait: a good part of a run is not shipped, or a deletion
// has no copy in the bucket.
func (s *LogShipper) Due() <-chan struct{} { return s.src.Due }

// Shipped implements Shipper.
func (s *LogShipper) Shipped() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.through
}

// Whole implements Shipper.
func (s *LogShipper) Whole() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.want == "" && !s.through.IsZero()
}

// Metrics implements Shipper.
func (s *LogShipper) Metrics(put func(name, kind, help string, value float64, labels ...string)) {
	if s.onlyCopies {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	put("cairn_backup_log_objects_total", "counter", "Objects of the log that were stored in the bucket.", float64(s.stats.objects))
	put("cairn_backup_log_bytes_total", "counter", "Bytes of these objects.", float64(s.stats.bytes))
	put("cairn_backup_log_events_total", "counter", "Events in these objects.", float64(s.stats.events))
	put("cairn_backup_log_gaps_total", "counter", "Stretches of events that left the log of the store before they were shipped.", float64(s.stats.gaps))
	gap := 0.0
	if s.want != "" {
		gap = 1
	}
	put("cairn_backup_log_gap", "gauge", "1 while the log in the bucket needs a snapshot to restore everything.", gap)
}

// Troubles implements Shipper.
func (s *LogShipper) Troubles() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.hole {
		return nil
	}
	return []string{"the backup's log needs a snapshot: " + s.want}
}
