package importer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sink answers requests without reading them closely, so that reading alone is measured.
type sink struct{}

func (sink) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	answer := fmt.Sprintf(`{"accepted":%d,"duplicates":0,"rejected":[]}`, bytes.Count(body, []byte("\n")))
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(answer)), Header: http.Header{}}, nil
}

// benchRead imports a text again and again and reports records a second.
func benchRead(b *testing.B, name, text string, records int) {
	file := write(b, name, text)
	o := Options{Files: []string{file}, Client: &http.Client{Transport: sink{}}, URL: "http://server", Header: http.Header{}}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Run(context.Background(), o); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(records)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkAccessLog(b *testing.B) { benchRead(b, "access.log", logText(0, 50_000), 50_000) }

func BenchmarkNDJSON(b *testing.B) {
	var text strings.Builder
	for n := range 50_000 {
		fmt.Fprintf(&text, `{"type":"page","name":"Page %d","time":"2026-03-01T09:%02d:%02d.000Z","anonymous":"visitor-%d","context":{"url":"https://tea.example/page/%d","country":"DE","browser":"Firefox"},"properties":{"plan":"pro","n":%d}}`+"\n", n, n/60%60, n%60, n%500, n, n)
	}
	benchRead(b, "events.ndjson", text.String(), 50_000)
}

// BenchmarkPresets reads the records of each made-up file many times.
func BenchmarkPresets(b *testing.B) {
	for _, name := range []string{"goatcounter.csv", "matomo.tsv", "posthog.jsonl", "ga4.jsonl", "segment.jsonl"} {
		b.Run(name, func(b *testing.B) {
			text, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				b.Fatal(err)
			}
			head, body := "", string(text)
			if !strings.HasSuffix(name, ".jsonl") {
				head, body, _ = strings.Cut(body, "\n")
				head += "\n"
			}
			const times = 2000
			benchRead(b, name, head+strings.Repeat(body, times), times*strings.Count(body, "\n"))
		})
	}
}
