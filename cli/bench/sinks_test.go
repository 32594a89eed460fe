package bench

import (
	"strings"
	"testing"

	"cairn/engine/sink"
	"cairn/engine/sink/clickhouse"
)

// The sink that is measured against takes rows as ClickHouse does, or the phase would measure errors.
func TestBlackHole(t *testing.T) {
	t.Parallel()
	hole, err := newBlackHole()
	if err != nil {
		t.Fatal(err)
	}
	defer hole.close()
	s, err := clickhouse.New(clickhouse.Options{URL: hole.URL, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 2 {
		if err := s.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	line := []byte("{\"seq\":1}\n")
	site := sink.Site{Number: 1, Name: "shop"}
	if err := s.Send(t.Context(), &sink.Range{Store: 1, Site: site, First: 1, Last: 1, Lines: line, Ends: []int{len(line)}, Seqs: []uint64{1}, IDs: []string{"a"}, Received: []int64{1_700_000_000_000}}); err != nil {
		t.Fatal(err)
	}
	if marks, err := s.Newest(t.Context(), 1, site, 1, 5); err != nil || len(marks) > 0 {
		t.Errorf("%v, %v", marks, err)
	}
}

func TestSinkVariables(t *testing.T) {
	t.Setenv("CAIRN_SINK_KAFKA_SASL", "plain")
	for _, c := range []struct{ sink, want string }{
		{"", "CAIRN_SINK_CLICKHOUSE_URL=hole"},
		{"http://ch:8123", "CAIRN_SINK_CLICKHOUSE_URL=http://ch:8123"},
		{"https://ch", "CAIRN_SINK_CLICKHOUSE_TABLE=bench_7"},
		{"kafka://a:9092,b:9092", "CAIRN_SINK_KAFKA_BROKERS=a:9092,b:9092"},
		{"kafka://a:9092/", "CAIRN_SINK_KAFKA_TOPIC=cairn-bench-7"},
		{"kafka://a:9092", "CAIRN_SINK_KAFKA_SASL=plain"},
	} {
		env, err := sinkVariables(c.sink, "hole", 7)
		if err != nil || !strings.Contains(strings.Join(env, " ")+" ", c.want+" ") {
			t.Errorf("%s: %q, %v", c.sink, env, err)
		}
	}
	for _, bad := range []string{"kafka", "kafka://", "ftp://x", "localhost:8123"} {
		if CheckSink(bad) == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
