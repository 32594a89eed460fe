package native

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"cairn/http/native/nativetest"
)

// Whatever metrics are asked for, an answer is JSON, and has them and no others.
func TestVisitMetrics(t *testing.T) {
	n := nativetest.Full()
	for _, metrics := range append(slices.Clone(visitNumbers), "visits,events") {
		target := "/api/v1/visits?by=source&interval=none&compare=previous&goal=name%3Da&metrics=" + metrics
		res, err := ask(t, n, target, nil)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			Total map[string]any
			By    map[string]struct{ Rows []map[string]any }
		}
		if err := json.Unmarshal(res.Body, &answer); err != nil {
			t.Errorf("%s: %v: %s", metrics, err, res.Body)
			continue
		}
		for _, m := range strings.Split(metrics, ",") {
			row := answer.By["source"].Rows[0]
			if _, ok := row[m]; ok == (m == "events") {
				t.Errorf("%s: row %v", metrics, row)
			}
			if _, ok := answer.Total[m]; !ok {
				t.Errorf("%s: total %v", metrics, answer.Total)
			}
		}
	}
}
