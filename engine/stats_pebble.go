// Pebble's own metrics as Prometheus text.

package engine

import (
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

// pebbleMetrics picks the numbers an operator can act on.
func pebbleMetrics(m *pebble.Metrics) string {
	var b strings.Builder
	put := func(name, kind, help string, v any) {
		fmt.Fprintf(&b, "# HELP cairn_pebble_%s %s\n# TYPE cairn_pebble_%s %s\ncairn_pebble_%s %v\n", name, help, name, kind, name, v)
	}
	total := m.Total()
	put("disk_bytes", "gauge", "Bytes of all files of the store.", m.DiskSpaceUsage())
	put("read_amplification", "gauge", "Files that one read may have to open.", m.ReadAmp())
	put("tables", "gauge", "Tables in use.", total.TablesCount)
	put("written_bytes_total", "counter", "Bytes written by flushes, compactions and ingestion of tables.",
		total.TableBytesFlushed+total.TableBytesCompacted+total.TableBytesIngested)
	put("wal_bytes_total", "counter", "Bytes written to the write-ahead log.", m.WAL.BytesWritten)
	put("wal_files", "gauge", "Files of the write-ahead log in use.", m.WAL.Files)
	put("flushes_total", "counter", "Memtable flushes.", m.Flush.Count)
	put("compactions_total", "counter", "Compactions.", m.Compact.Count)
	put("compaction_debt_bytes", "gauge", "Bytes that wait for compaction.", m.Compact.EstimatedDebt)
	put("memtable_bytes", "gauge", "Bytes of the memtables.", m.MemTable.Size)
	put("block_cache_bytes", "gauge", "Bytes in the block cache.", m.BlockCache.Size)
	put("block_cache_hits_total", "counter", "Hits in the block cache.", m.BlockCache.Hits)
	put("block_cache_misses_total", "counter", "Misses in the block cache.", m.BlockCache.Misses)
	return b.String()
}
