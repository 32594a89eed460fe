package httpd

import (
	"encoding/json"
	"testing"

	"cairn/engine/sink"
	"cairn/http/native"
	"cairn/http/native/nativetest"
)

// What the admin sees of the sinks is what the contract says: no field more, whatever a sink has to say.
func TestContractSinks(t *testing.T) {
	full := sink.Status{Name: "clickhouse", State: sink.StateStopped, Code: "60", Error: "there is no such table", Since: 1, LagSeconds: 7.5, Deletions: 1, Sites: []sink.SiteStatus{{
		Site: "shop", Number: 1, Store: 1<<64 - 1, Cursor: 10, Last: 30, Sending: &sink.StatusSpan{First: 11, Last: 20}, LagSeconds: 7.5, Missed: 2, Skipped: 3,
		Stores: []sink.StoreSpan{{Store: 1<<64 - 1, First: 1, Last: 10}}, Checked: 5, CheckedAt: 1, Wrong: &sink.CheckWrong{First: 6, Last: 10, Missing: 1, At: 1},
		Counts: []sink.Count{{Store: 1<<64 - 1, First: 1, Last: 10, Rows: 9, Gone: 1}},
	}}}
	bare := sink.Status{Name: "kafka", State: sink.StateRunning, Sites: []sink.SiteStatus{{Site: "shop", Number: 1, Store: 1, Stores: []sink.StoreSpan{{Store: 1, First: 1}}}}}
	v := nativetest.Validator{T: t, Doc: nativetest.Contract(t, native.OpenAPI())}
	for _, status := range []sink.Status{full, bare} {
		text, err := json.Marshal(map[string]any{"sinks": []sink.Status{status}})
		if err != nil {
			t.Fatal(err)
		}
		var value any
		if err := json.Unmarshal(text, &value); err != nil {
			t.Fatal(err)
		}
		if wrong := v.Check(nativetest.Object{"$ref": "#/components/schemas/Sinks"}, value, "$"); wrong != "" {
			t.Error(wrong)
		}
	}
}
