package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn/engine/sink/clickhouse/clickhousetest"
)

// This file kills cairn and ClickHouse while rows are carried. Afterwards every event of cairn is there,
// and once.

var (
	sinkRounds = flag.Int("sink.rounds", 6, "how often TestClickHouseKill kills or breaks something")
	sinkSeed   = flag.Uint64("sink.seed", 0, "seed of TestClickHouseKill; 0 = by the clock")
)

// sinkFault is what a round does.
type sinkFault int

const (
	killCairn          sinkFault = iota // at any moment
	killCairnBefore                     // an INSERT is on its way, and the server stores it
	killCairnAfter                      // the server has stored an INSERT, and cairn does not know
	killClickHouse                      // at any moment
	killClickHouseAmid                  // while it has an INSERT
	breakNetwork                        // what a proxy does
	sinkFaults
)

// sinkKiller is one run.
type sinkKiller struct {
	*testing.T
	rng    *rand.Rand
	cairn  *testServer
	server *clickhousetest.Server
	proxy  *clickhousetest.Proxy
	sent   int
	gone   []string // people who were deleted
	rounds [sinkFaults]int

	mu   sync.Mutex
	next func() clickhousetest.Fault // what happens to the next INSERT; nil = it passes
}

func TestClickHouseKill(t *testing.T) {
	t.Parallel()
	seed := *sinkSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("go test ./cli/e2e -run TestClickHouseKill -sink.rounds=%d -sink.seed=%d", *sinkRounds, seed)
	k := &sinkKiller{T: t, rng: rand.New(rand.NewPCG(seed, 0)), server: clickhousetest.Start(t)}
	k.proxy = clickhousetest.NewProxy(t, func() string { return k.server.URL })
	k.proxy.Delay = 300 * time.Millisecond
	k.proxy.Choose = func() clickhousetest.Fault {
		k.mu.Lock()
		next := k.next
		k.next = nil
		k.mu.Unlock()
		if next == nil {
			return clickhousetest.Pass
		}
		return next()
	}
	k.cairn = startServer(t, t.TempDir(), configured(t, sinkConfig(k.proxy.URL, "cairn", ""))...)
	for round := range *sinkRounds {
		fault := sinkFault(k.rng.IntN(int(sinkFaults)))
		if round < int(sinkFaults) {
			fault = sinkFault(round)
		}
		k.rounds[fault]++
		k.round(fault)
	}
	k.settle()
	t.Logf("%d events, %d people deleted, faults %v", k.sent, len(k.gone), k.rounds)
}

// send sends some events. What is not answered may be stored or not; cairn itself says at the end.
func (k *sinkKiller) send() {
	var lines strings.Builder
	n := 1 + k.rng.IntN(300)
	for range n {
		k.sent++
		fmt.Fprintf(&lines, `{"type":"page","name":"Page %d","user":"u-%d","message_id":"m%d","properties":{"n":%d}}`+"\n", k.sent%7, k.sent%40, k.sent, k.sent)
	}
	header := http.Header{"Authorization": {"Bearer " + k.cairn.keys().SecretKey}, "Content-Type": {"application/x-ndjson"}}
	request("POST", k.cairn.url()+"/api/v1/events", header, lines.String())
}

func (k *sinkKiller) round(fault sinkFault) {
	pause := func(most int) time.Duration { return time.Duration(k.rng.IntN(most)) * time.Millisecond }
	met := make(chan struct{})
	arm := func(next func() clickhousetest.Fault) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.next = func() clickhousetest.Fault {
			if fault != killCairnAfter {
				defer close(met)
			}
			return next()
		}
	}
	amid, broken := pause(30), clickhousetest.Fault(1+k.rng.IntN(int(clickhousetest.Faults)-1))
	killed := make(chan struct{})
	switch fault {
	case killCairnBefore:
		arm(func() clickhousetest.Fault { k.cairn.running().Kill(); return clickhousetest.Pass })
	case killCairnAfter:
		k.proxy.SetAfter(func() {
			k.cairn.running().Kill()
			close(met)
		})
		arm(func() clickhousetest.Fault { return clickhousetest.CutAfter })
	case killClickHouseAmid:
		arm(func() clickhousetest.Fault {
			go func() {
				time.Sleep(amid)
				k.server.Kill()
				close(killed)
			}()
			return clickhousetest.Pass
		})
	case breakNetwork:
		k.proxy.SetAfter(nil)
		arm(func() clickhousetest.Fault { return broken })
	}
	k.send()
	if k.rng.IntN(4) == 0 {
		k.forget()
	}
	switch fault {
	case killCairn:
		time.Sleep(pause(800))
		k.cairn.restart()
		return
	case killClickHouse:
		time.Sleep(pause(800))
		k.server.Kill()
		time.Sleep(pause(500))
		k.server.Run()
		return
	}
	select {
	case <-met:
	case <-time.After(90 * time.Second):
		k.Fatalf("nothing was sent for a fault %d: %s", fault, k.status())
	}
	switch fault {
	case killCairnBefore, killCairnAfter:
		time.Sleep(pause(100))
		k.cairn.restart()
	case killClickHouseAmid:
		<-killed
		time.Sleep(pause(500))
		k.server.Run()
	}
}

// forget deletes a person while rows are under way.
func (k *sinkKiller) forget() {
	user := fmt.Sprintf("u-%d", k.rng.IntN(40))
	header := http.Header{"Authorization": {"Bearer " + k.cairn.keys().SecretKey}, "Content-Type": {"application/json"}}
	status, _, err := request("DELETE", k.cairn.url()+"/api/v1/users/"+user+"?reason=asked", header, "")
	if err == nil && status < 300 {
		k.gone = append(k.gone, user)
	}
}

func (k *sinkKiller) status() string {
	_, body, err := request("GET", k.cairn.url()+"/api/v1/admin/sinks", http.Header{"Authorization": {"Bearer " + k.cairn.running().Keys.AdminToken}}, "")
	return fmt.Sprintf("%s %v", body, err)
}

// settle waits until all is carried, and compares.
func (k *sinkKiller) settle() {
	carried(k.T, k.cairn)
	k.proxy.Wait()
	for end := time.Now().Add(60 * time.Second); len(k.gone) > 0; time.Sleep(100 * time.Millisecond) {
		done := true
		for _, carriedOut := range k.receipts() {
			done = done && carriedOut
		}
		if done {
			break
		}
		if time.Now().After(end) {
			k.Fatalf("deletions are not carried out: %s", k.status())
		}
	}
	carried(k.T, k.cairn)
	status, body, err := request("GET", k.cairn.url()+"/api/v1/export", http.Header{"Authorization": {"Bearer " + k.cairn.keys().SecretKey}}, "")
	if err != nil || status != 200 {
		k.Fatal(status, err)
	}
	want := map[string]bool{}
	for line := range strings.Lines(string(body)) {
		var e struct {
			ID, User string
			Seq      uint64
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			k.Fatal(err)
		}
		want[fmt.Sprintf("%s\t%d\t%s", e.ID, e.Seq, e.User)] = true
	}
	got := map[string]int{}
	for line := range strings.Lines(clickhousetest.Query(k.T, k.server.URL, "SELECT id, seq, user FROM cairn.events FINAL") + "\n") {
		if line = strings.TrimSuffix(line, "\n"); line != "" {
			got[line]++
		}
	}
	missing, twice, more := 0, 0, 0
	for row := range want {
		if got[row] == 0 {
			missing++
		}
	}
	for row, n := range got {
		if !want[row] {
			more++
		} else if n > 1 {
			twice++
		}
	}
	if missing+twice+more > 0 || len(want) == 0 {
		k.Errorf("of %d events %d are missing, %d there twice; %d are there that cairn lacks", len(want), missing, twice, more)
	}
	k.Logf("%d events in cairn and in ClickHouse; %s rows before FINAL", len(want), clickhousetest.Query(k.T, k.server.URL, "SELECT count() FROM cairn.events"))
}

// receipts says of each deletion whether the sink has carried it out.
func (k *sinkKiller) receipts() map[string]bool {
	status, answer, err := request("GET", k.cairn.url()+"/api/v1/admin/deletions?limit=1000", http.Header{"Authorization": {"Bearer " + k.cairn.keys().SecretKey}}, "")
	var all struct {
		Deletions []struct {
			ID    int
			Sinks []struct {
				Done string `json:"done_at"`
			}
		}
	}
	if err == nil {
		err = json.Unmarshal(answer, &all)
	}
	if err != nil {
		k.Fatalf("%d %s %v", status, answer, err)
	}
	done := map[string]bool{}
	for _, one := range all.Deletions {
		for _, s := range one.Sinks {
			done[fmt.Sprint(one.ID)] = s.Done != ""
		}
	}
	return done
}
