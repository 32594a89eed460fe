package e2e

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

var kafkaKills = flag.Int("kafka.kills", 3, "how often TestSinkKafka kills the server")

// kafkaRecord is a record of the topic as a consumer that reads what is committed sees it.
type kafkaRecord struct {
	key, value string
	headers    map[string]string
}

// readKafka reads what is committed in a topic from its beginning, until done says that it is all.
func readKafka(t *testing.T, brokers []string, topic string, done func([]kafkaRecord) bool) (all []kafkaRecord) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.UnknownTopicRetries(-1), kgo.MetadataMinAge(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for !done(all) {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("the topic has %d records: %.2000v", len(all), all)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			one := kafkaRecord{string(r.Key), string(r.Value), map[string]string{}}
			for _, h := range r.Headers {
				one.headers[h.Key] = string(h.Value)
			}
			all = append(all, one)
		})
	}
	return all
}

// Every event arrives in Kafka once, as an export has it, whenever the server is killed; a forgotten
// person is named to those who read the topic.
func TestSinkKafka(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(2), kfake.DefaultNumPartitions(3))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	s := startServer(t, t.TempDir(), configured(t, fmt.Sprintf("[sink.kafka]\nbrokers = [%q]\ncreate = true\n", cluster.ListenAddrs()[0]))...)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	acknowledged := 0
	for cycle := range *kafkaKills {
		var killed atomic.Bool
		ended := make(chan int)
		go func() {
			n := 0
			for !killed.Load() {
				n += s.send(100, fmt.Sprintf("cycle %d", cycle))
			}
			ended <- n
		}()
		time.Sleep(time.Duration(rng.IntN(800)) * time.Millisecond)
		switch rng.IntN(4) {
		case 0:
			cluster.ShufflePartitionLeaders()
		case 1:
			cluster.RehashCoordinators()
		case 2: // with nothing new: what it sends then is old
			killed.Store(true)
			acknowledged += <-ended
			time.Sleep(time.Duration(rng.IntN(200)) * time.Millisecond)
		}
		s.running().Kill()
		if !killed.Swap(true) {
			acknowledged += <-ended
		}
		s.restart()
	}
	exported := exportedLines(t, s)
	sent := len(exported)
	if sent < acknowledged {
		t.Fatalf("%d events were acknowledged, an export has %d", acknowledged, sent)
	}
	rows := readKafka(t, cluster.ListenAddrs(), "cairn", func(all []kafkaRecord) bool { return len(all) >= sent })
	if len(rows) != sent {
		t.Fatalf("Kafka has %d events, an export %d", len(rows), sent)
	}
	for i, r := range rows {
		if r.key != "default" || r.value != exported[i] {
			t.Fatalf("record %d: %s = %s\nthe export has %s", i, r.key, r.value, exported[i])
		}
		var e struct {
			ID  string
			Seq uint64
		}
		if err := json.Unmarshal([]byte(r.value), &e); err != nil || r.headers["id"] != e.ID || r.headers["seq"] != fmt.Sprint(e.Seq) || r.headers["store"] == "" {
			t.Fatalf("record %d: headers %v, %s: %v", i, r.headers, r.value, err)
		}
	}
	if code, body := damageAsk(t, s.running(), s.keys().SecretKey, "DELETE", "/api/v1/users/u7", nil); code != 200 && code != 202 {
		t.Fatalf("%d %s", code, body)
	}
	// A record names a bounded number of rows, so there may be several.
	erased := 0
	for _, line := range exported {
		if strings.Contains(line, `"user":"u7"`) {
			erased++
		}
	}
	rows = readKafka(t, cluster.ListenAddrs(), "cairn", func(all []kafkaRecord) bool {
		named := 0
		for _, r := range all[min(sent, len(all)):] {
			for span := range strings.SplitSeq(r.headers["delete"], ",") {
				var first, last int
				if n, _ := fmt.Sscanf(span, "%d-%d", &first, &last); n == 1 {
					last = first
				}
				named += last - first + 1
			}
		}
		return len(all) > sent && named >= erased
	})
	gone := map[string]bool{}
	for _, r := range rows[sent:] {
		var d struct {
			Site   string
			Delete struct {
				Store string
				Seqs  [][2]uint64
			}
		}
		if err := json.Unmarshal([]byte(r.value), &d); err != nil || d.Site != "default" || d.Delete.Store != rows[0].headers["store"] || r.headers["delete"] == "" {
			t.Fatalf("%.500v: %v", r, err)
		}
		for _, span := range d.Delete.Seqs {
			for seq := span[0]; seq <= span[1]; seq++ {
				gone[fmt.Sprint(seq)] = true
			}
		}
	}
	for _, r := range rows[:sent] {
		if mine := strings.Contains(r.value, `"user":"u7"`); mine != gone[r.headers["seq"]] {
			t.Errorf("seq %s is named: %v, in %s", r.headers["seq"], gone[r.headers["seq"]], r.value)
		}
	}
	s.finish()
}

// exportedLines are the lines of an export of all events.
func exportedLines(t *testing.T, s *testServer) []string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.url()+"/api/v1/export?format=ndjson", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.keys().SecretKey)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%s %s %v", res.Status, text, err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// A reload brings a sink, which gets the history, and takes it away again.
func TestSinkReload(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	flags := configured(t, "")
	s := startServer(t, t.TempDir(), flags...)
	reload := func(text string) (int, string) {
		t.Helper()
		if err := os.WriteFile(flags[1], []byte("ip_conns = 300\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		return damageAsk(t, s.running(), s.running().Keys.AdminToken, "POST", "/api/v1/admin/reload", nil)
	}
	if s.send(10, "before") != 10 {
		t.Fatal("the events were not stored")
	}
	table := fmt.Sprintf("[sink.kafka]\nbrokers = [%q]\ncreate = true\n", cluster.ListenAddrs()[0])
	if code, body := reload(table + "topic = \"a b\"\n"); code != 400 || !strings.Contains(body, ":5: sink.kafka: topic") {
		t.Errorf("a mistake: %d %s", code, body)
	}
	if code, body := reload(table); code != 200 || !strings.Contains(body, `"sink"`) {
		t.Fatalf("%d %s", code, body)
	}
	readKafka(t, cluster.ListenAddrs(), "cairn", func(all []kafkaRecord) bool { return len(all) >= 10 })
	if code, body := damageAsk(t, s.running(), s.running().Keys.AdminToken, "GET", "/api/v1/admin/sinks", nil); code != 200 || !strings.Contains(body, `"kafka"`) {
		t.Errorf("%d %s", code, body)
	}
	if code, body := reload(""); code != 200 {
		t.Fatalf("%d %s", code, body)
	}
	if code, body := damageAsk(t, s.running(), s.running().Keys.AdminToken, "GET", "/api/v1/admin/sinks", nil); code != 404 {
		t.Errorf("without a sink: %d %s", code, body)
	}
	s.finish()
}
