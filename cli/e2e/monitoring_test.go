package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// optionalMetrics are only there when what they are about is configured. The rooms that put them
// have to name them.
var optionalMetrics = map[string]string{
	"cairn_geo_database_up":                        "geo/metrics.go",
	"cairn_backup_last_success_timestamp_seconds":  "engine/backup/state.go",
	"cairn_backup_last_verified_timestamp_seconds": "engine/backup/state.go",
	"cairn_backup_lag_seconds":                     "engine/backup/state.go",
	"cairn_sink_state":                             "http/metrics.go",
	"cairn_sink_lag_seconds":                       "http/metrics.go",
	"cairn_sink_missed_rows_total":                 "http/metrics.go",
	"cairn_sink_skipped_rows_total":                "http/metrics.go",
	"cairn_sink_check_missing_rows":                "http/metrics.go",
	"cairn_sink_check_surplus_rows":                "http/metrics.go",
	"cairn_sink_check_errors_total":                "http/metrics.go",
	"cairn_sink_deletions_waiting":                 "http/metrics.go",
}

// TestMonitoring sees that the alert rules and the dashboard use only metrics that exist, and that
// docs/monitor.md says what to do for each alert.
func TestMonitoring(t *testing.T) {
	t.Parallel()
	read := func(path string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(top, path))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	have := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^[a-z_]+`).FindAllString(read("testdata/metrics.txt"), -1) {
		have[m] = true
	}
	for name, file := range optionalMetrics {
		if have[name] = strings.Contains(read(file), `"`+name+`"`); !have[name] {
			t.Errorf("%s does not put %s", file, name)
		}
	}
	name := regexp.MustCompile(`\b(cairn|process|go)_[a-z0-9_]+`)
	used := 0
	uses := func(where, expr string) {
		for _, m := range name.FindAllString(expr, -1) {
			if used++; !have[m] {
				t.Errorf("%s: there is no metric %s: %s", where, m, expr)
			}
		}
		if strings.Count(expr, "(") != strings.Count(expr, ")") || strings.Count(expr, "{") != strings.Count(expr, "}") {
			t.Errorf("%s: brackets do not match: %s", where, expr)
		}
	}

	rules, guide := read("docs/monitoring/alerts.yml"), read("docs/monitor.md")
	alerts := 0
	var alert string
	for line := range strings.Lines(rules) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "- alert":
			alert = value
			if alerts++; !strings.Contains(guide, "| `"+alert+"` |") {
				t.Errorf("docs/monitor.md does not say what to do for %s", alert)
			}
		case "expr":
			uses(alert, value)
		case "", "for", "labels", "annotations", "groups:", "- name", "rules:":
		default:
			if !strings.HasPrefix(key, "#") {
				t.Errorf("a rule has no %q", key)
			}
		}
		if strings.Contains(line, "\t") {
			t.Errorf("YAML takes no tabs: %q", line)
		}
	}
	if n := strings.Count(guide, "| `Cairn"); alerts == 0 || n != alerts {
		t.Errorf("%d alerts, and docs/monitor.md has %d", alerts, n)
	}

	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read("docs/monitoring/grafana.json")), &board); err != nil || len(board.Panels) == 0 {
		t.Fatalf("%d panels: %v", len(board.Panels), err)
	}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			uses(p.Title, target.Expr)
		}
	}
	if used < 30 {
		t.Errorf("only %d uses of metrics were found", used)
	}
}
