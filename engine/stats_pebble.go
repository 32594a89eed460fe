// This file picks metrics from Pebble's own.

package engine

import (
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"cairn/engine/store"
)

// pebblePatience is how long a caller waits for Pebble's metrics.
const pebblePatience = time.Second

// pebbleNumbers keeps the newest metrics of Pebble. Pebble computes them under the lock of the
// store. A caller must not wait for that lock without end, so one goroutine asks at a time, and who
// has waited long enough gets the metrics of the question before. The zero value is ready to use.
type pebbleNumbers struct {
	mu     sync.Mutex
	asking chan struct{} // closed when the question under way is answered; nil = there is none
	last   []Metric
}

// get calls ask, or waits for a call under way, but no longer than patience.
func (p *pebbleNumbers) get(patience time.Duration, ask func() []Metric) []Metric {
	p.mu.Lock()
	asking := p.asking
	if asking == nil {
		asking = make(chan struct{})
		p.asking = asking
		go func() {
			numbers := ask()
			p.mu.Lock()
			p.last, p.asking = numbers, nil
			p.mu.Unlock()
			close(asking)
		}()
	}
	p.mu.Unlock()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-asking:
	case <-late.C:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// wait returns when no question is under way. The caller sees to it that no other begins.
func (p *pebbleNumbers) wait() {
	p.mu.Lock()
	asking := p.asking
	p.mu.Unlock()
	if asking != nil {
		<-asking
	}
}

// StoreMetrics implements API.
func (e *Engine) StoreMetrics() []Metric {
	if e.failure() != nil {
		return nil // Pebble may be stuck in its fatal error
	}
	return e.pebbleNumbers.get(pebblePatience, func() []Metric {
		numbers := pebbleMetrics(e.db.Metrics())
		if version, err := store.Get(e.db, store.Key("version")); err == nil && len(version) == 1 {
			numbers = append(numbers, Metric{"cairn_store_version", "gauge", "Version of the format of the store.", float64(version[0])})
		}
		return numbers
	})
}

// pebbleMetrics returns the numbers that an operator can act on.
func pebbleMetrics(m *pebble.Metrics) []Metric {
	total := m.Total()
	return []Metric{
		{"cairn_pebble_disk_bytes", "gauge", "Bytes of all files of the store.", float64(m.DiskSpaceUsage())},
		{"cairn_pebble_read_amplification", "gauge", "Files that one read may have to open.", float64(m.ReadAmp())},
		{"cairn_pebble_tables", "gauge", "Tables in use.", float64(total.TablesCount)},
		{"cairn_pebble_written_bytes_total", "counter", "Bytes written by flushes, compactions and ingestion of tables.",
			float64(total.TableBytesFlushed + total.TableBytesCompacted + total.TableBytesIngested)},
		{"cairn_pebble_wal_bytes_total", "counter", "Bytes written to the write-ahead log.", float64(m.WAL.BytesWritten)},
		{"cairn_pebble_wal_files", "gauge", "Files of the write-ahead log in use.", float64(m.WAL.Files)},
		{"cairn_pebble_flushes_total", "counter", "Memtable flushes.", float64(m.Flush.Count)},
		{"cairn_pebble_compactions_total", "counter", "Compactions.", float64(m.Compact.Count)},
		{"cairn_pebble_compaction_debt_bytes", "gauge", "Bytes that wait for compaction.", float64(m.Compact.EstimatedDebt)},
		{"cairn_pebble_memtable_bytes", "gauge", "Bytes of the memtables.", float64(m.MemTable.Size)},
		{"cairn_pebble_block_cache_bytes", "gauge", "Bytes in the block cache.", float64(m.BlockCache.Size)},
		{"cairn_pebble_block_cache_hits_total", "counter", "Hits in the block cache.", float64(m.BlockCache.Hits)},
		{"cairn_pebble_block_cache_misses_total", "counter", "Misses in the block cache.", float64(m.BlockCache.Misses)},
	}
}
