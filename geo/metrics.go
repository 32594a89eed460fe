package geo

// Metrics puts the state of the databases, one sample a call.
func (l *Locator) Metrics(put func(name, kind, help string, value float64, labels ...string)) {
	st := l.Status()
	for _, m := range [...]struct {
		name, kind, help string
		value            func(f *FileStatus) float64
	}{
		{"cairn_geo_database_up", "gauge", "1 if the current version of the file is in use, else 0.", func(f *FileStatus) float64 {
			if f.Err != nil {
				return 0
			}
			return 1
		}},
		{"cairn_geo_database_built_seconds", "gauge", "Unix time at which the vendor built the database in use.", func(f *FileStatus) float64 {
			return float64(max(f.Built.Unix(), 0))
		}},
		{"cairn_geo_database_bytes", "gauge", "Bytes of memory that the database in use takes.", func(f *FileStatus) float64 { return float64(f.Bytes) }},
		{"cairn_geo_database_loads_total", "counter", "Times that the file was loaded.", func(f *FileStatus) float64 { return float64(f.Loads) }},
		{"cairn_geo_database_failures_total", "counter", "Times that a new version of the file could not be loaded; the one before it stayed in use.", func(f *FileStatus) float64 { return float64(f.Failures) }},
	} {
		for i := range st.Files {
			put(m.name, m.kind, m.help, m.value(&st.Files[i]), "file", st.Files[i].Path)
		}
	}
	put("cairn_geo_lookup_failures_total", "counter", "Lookups that found a damaged record.", float64(st.Failed))
}
