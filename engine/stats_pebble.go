// This file picks metrics from Pebble's own.

package engine

import "github.com/cockroachdb/pebble/v2"

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
