package segment

import (
	"encoding/binary"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"cairn/http/dialect"
	"cairn/http/dialect/dialecttest"
)

// Generated message ids hold a counter, not random bytes, so that the golden files do not change.
func TestGolden(t *testing.T) {
	for _, file := range []string{"seed", "fields", "replies"} {
		var requests atomic.Int32
		counting := func(b []byte) {
			clear(b)
			binary.BigEndian.PutUint32(b, uint32(requests.Add(1)))
		}
		dialecttest.Golden{Dialect: protocol{defaults, counting}}.Run(t, "testdata/"+file+".txt")
	}
}

// A large batch is decoded in the memory of the batch before.
func TestBatchesReuseMemory(t *testing.T) {
	d := New(nil)
	req := request(t, "POST", "/v1/batch", benchBatch(benchServer, 1000))
	route(t, d, req)
	var b dialect.Batch
	decode := func() {
		clear(b.Records)
		b.Records = b.Records[:0]
		if err := d.Decode(req, &b); err != nil || len(b.Records) != 1000 || b.Records[999].Err != nil {
			t.Fatal(err, len(b.Records))
		}
	}
	for range 8 {
		decode() // the memory grows
	}
	if n := testing.AllocsPerRun(20, decode); n > 10 {
		t.Errorf("%v allocations for 1000 messages", n)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 20 {
		decode()
	}
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) / 20; n > 200_000 {
		t.Errorf("%d bytes are allocated for 1000 messages", n)
	}
}

// A message without an id gets a unique one, within a request and across requests. With an
// Idempotency-Key it gets none from the dialect: the server sets it.
func TestGeneratedIDs(t *testing.T) {
	const uuid = `^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`
	d := New(nil)
	seen := map[string]bool{}
	for range 3 {
		var b dialect.Batch
		body := `{"batch":[` + strings.Repeat(`{"type":"page","userId":"u"},`, 200) + `{"type":"page","userId":"u","messageId":"own"},{"type":"track"}]}`
		req := request(t, "POST", "/v1/batch", body)
		route(t, d, req)
		if err := d.Decode(req, &b); err != nil {
			t.Fatal(err)
		}
		for i, r := range b.Records {
			id := r.Event.MessageID
			switch {
			case i == 200 && id != "own", i == 201 && id != "":
				t.Errorf("message %d: %q", i, id)
			case i < 200 && (seen[id] || !regexp.MustCompile(uuid).MatchString(id)):
				t.Errorf("message %d: %q, seen %v", i, id, seen[id])
			}
			seen[id] = true
		}
	}
	named := request(t, "POST", "/v1/page", `{"userId":"u"}`)
	header := named.Header
	named.Header = func(name string) string {
		if name == "Idempotency-Key" {
			return "k"
		}
		return header(name)
	}
	var b dialect.Batch
	route(t, d, named)
	if err := d.Decode(named, &b); err != nil || b.Records[0].Event.MessageID != "" {
		t.Errorf("%v %+v", err, b.Records)
	}
}

// route prepares a request as the server does: it sets the route and a Find that knows every key.
func route(t testing.TB, d dialect.Dialect, req *dialect.Request) {
	t.Helper()
	for _, r := range d.Routes() {
		if r.Path == req.Path {
			req.Route = &r
			break
		}
	}
	req.Find = func(dialect.Credential) *dialect.Site { return new(dialect.Site) }
}
