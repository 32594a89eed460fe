package httpd

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"cairn/http/native"
	"cairn/http/testkit"

	"github.com/klauspost/compress/zstd"
)

func TestEncodings(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	good := []byte(`{"name":"` + strings.Repeat("packed", 20) + `"}`)
	zip := testkit.Pack(t, "gzip", good)
	tests := []struct {
		header string
		body   []byte
		status int
	}{
		{"", good, 200},
		{"identity", good, 200},
		{"gzip", zip, 200},
		{"GZIP", zip, 200},
		{"x-gzip", zip, 200},
		{"deflate", testkit.Pack(t, "deflate", good), 200},
		{"deflate", testkit.Pack(t, "raw", good), 200},
		{"zstd", testkit.Pack(t, "zstd", good), 200},
		{"br", good, 415},
		{"gzip, gzip", testkit.Pack(t, "gzip", zip), 415},
		{"gzip,zstd", zip, 415},
		{"nonsense", good, 415},
		{"gzip", good, 400},
		{"gzip", zip[:len(zip)-1], 400},
		{"gzip", zip[:len(zip)/2], 400},
		{"gzip", append(append([]byte(nil), zip...), "more"...), 400},
		{"deflate", testkit.Pack(t, "deflate", good)[:20], 400},
		{"deflate", testkit.Pack(t, "raw", good)[:20], 400},
		{"deflate", []byte("\xff\xff\xff\xff"), 400},
		{"zstd", testkit.Pack(t, "zstd", good)[:20], 400},
		{"zstd", zip, 400},
		{"zstd", []byte("\x28\xb5\x2f\xfd"), 400},
	}
	for i, test := range tests {
		headers := []string{}
		if test.header != "" {
			headers = append(headers, "Content-Encoding: "+test.header)
		}
		if a := s.post(string(test.body), headers...); a.status != test.status {
			t.Errorf("%d: %q of %d bytes: %d %s, want %d", i, test.header, len(test.body), a.status, a.body, test.status)
		}
	}
	if n := s.engine.count(); n != 8 {
		t.Errorf("%d events were stored", n)
	}
}

// TestBombs sends small bodies that inflate to much: each is a 413, and the
// memory it takes stays near the limit of the route.
func TestBombs(t *testing.T) {
	s := start(t, nil)
	zeros := make([]byte, 64<<20)
	for _, enc := range []string{"gzip", "deflate", "raw", "zstd"} {
		t.Run(enc, func(t *testing.T) {
			body := string(testkit.Pack(t, enc, zeros))
			header := "Content-Encoding: " + strings.Replace(enc, "raw", "deflate", 1)
			s.post(body, header) // fills the pools
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			a := s.post(body, header)
			runtime.ReadMemStats(&after)
			if a.status != 413 {
				t.Errorf("%d bytes: %d %s", len(body), a.status, a.body)
			}
			// Doubling up to the limit sums to twice the limit; the rest is the client.
			if spent := after.TotalAlloc - before.TotalAlloc; spent > 2*native.EventsBodyMax+4<<20 {
				t.Errorf("%d bytes were allocated", spent)
			}
		})
	}
	t.Run("ratio", func(t *testing.T) {
		// 4 MiB is within the limit of the route but 1000 times the body.
		if a := s.post(string(testkit.Pack(t, "gzip", zeros[:4<<20])), "Content-Encoding: gzip"); a.status != 413 {
			t.Errorf("%d %s", a.status, a.body)
		}
		// Below the first MiB JSON sometimes has the same ratio.
		spaces := bytes.Repeat([]byte(" "), 900<<10)
		if a := s.post(string(testkit.Pack(t, "gzip", append(spaces, `{"name":"a"}`...))), "Content-Encoding: gzip"); a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("window", func(t *testing.T) {
		var b bytes.Buffer
		w, err := zstd.NewWriter(&b, zstd.WithWindowSize(64<<20))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(w, `{"name":"a"}`)
		w.Flush() // so that the frame says its window
		w.Close()
		if a := s.post(b.String(), "Content-Encoding: zstd"); a.status != 413 {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}
