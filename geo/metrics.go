package geo

import (
	"fmt"
	"strconv"
)

// AppendMetrics appends the state of the databases as Prometheus text.
func (l *Locator) AppendMetrics(dst []byte) []byte {
	st := l.Status()
	for _, m := range [...]struct {
		name, kind, help string
		value            func(f *FileStatus) float64
	}{
		{"cairn_geo_database_up", "gauge", "1 when the file is in use as it is on the disk.", func(f *FileStatus) float64 {
			if f.Err != nil {
				return 0
			}
			return 1
		}},
		{"cairn_geo_database_built_seconds", "gauge", "When the vendor built the database in use, Unix time.", func(f *FileStatus) float64 {
			return float64(max(f.Built.Unix(), 0))
		}},
		{"cairn_geo_database_bytes", "gauge", "Memory of the database in use.", func(f *FileStatus) float64 { return float64(f.Bytes) }},
		{"cairn_geo_database_loads_total", "counter", "Times the file was loaded.", func(f *FileStatus) float64 { return float64(f.Loads) }},
		{"cairn_geo_database_failures_total", "counter", "Times the file was refused; the one before it stays in use.", func(f *FileStatus) float64 { return float64(f.Failures) }},
	} {
		dst = fmt.Appendf(dst, "# HELP %s %s\n# TYPE %s %s\n", m.name, m.help, m.name, m.kind)
		for i := range st.Files {
			dst = fmt.Appendf(dst, "%s{file=%s} %s\n", m.name, strconv.QuoteToASCII(st.Files[i].Path), strconv.FormatFloat(m.value(&st.Files[i]), 'f', -1, 64))
		}
	}
	return fmt.Appendf(dst, "# HELP cairn_geo_lookup_failures_total Lookups that met a damaged record.\n# TYPE cairn_geo_lookup_failures_total counter\ncairn_geo_lookup_failures_total %d\n", st.Failed)
}
