package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn/cli/bench"
)

var hostileConns = flag.Int("hostile.conns", 300, "how many connections TestHostileClients opens")

const (
	hostileTime = 14 * time.Second // longer than the server waits for a head
	hostileEnd  = 30 * time.Second // every one of them is cut off by then
	memoryOver  = 64 << 20         // memory that the process may use beyond its budget
)

// Promise D12, tried on the real binary. Connections that send nothing, that send a
// head or a body byte by byte, that never read their answers, and bodies that
// decompress without end: all of them cost bounded memory and end, and honest clients
// are served meanwhile.
//
//	go test ./cli/e2e -run TestHostileClients -hostile.conns=4000
func TestHostileClients(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	server := startServer(t, t.TempDir()).running()
	key := server.Keys.Sites[0].SecretKey
	target, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if err := fillPages(server.URL, key); err != nil {
		t.Fatal(err)
	}

	auth := "Host: a\r\nAuthorization: Bearer " + key + "\r\n"
	post := "POST /api/v1/events HTTP/1.1\r\n" + auth
	page := "GET /api/v1/events?limit=1000 HTTP/1.1\r\n" + auth + "\r\n"
	kinds := []func(c net.Conn) error{
		func(c net.Conn) error { return nil }, // sends nothing
		func(c net.Conn) error {
			return drip(c, "GET /healthz HTTP/1.1\r\nHost: a\r\nX: "+strings.Repeat("x", 4000))
		},
		func(c net.Conn) error {
			io.WriteString(c, post+"Content-Length: 100000\r\n\r\n")
			return drip(c, strings.Repeat(" ", 4000))
		},
		func(c net.Conn) error { _, err := io.WriteString(c, strings.Repeat(page, 50)); return err }, // never reads
		func(c net.Conn) error {
			fmt.Fprintf(c, "%sConnection: close\r\nContent-Type: application/x-ndjson\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", post, len(gzipBomb()))
			_, err := c.Write(gzipBomb())
			return err
		},
	}
	var hostile sync.WaitGroup
	var open atomic.Int64
	began := time.Now()
	for i := range *hostileConns {
		c, err := net.Dial("tcp", target.Host)
		if err != nil {
			t.Fatal(err)
		}
		open.Add(1)
		hostile.Go(func() {
			defer open.Add(-1)
			defer c.Close()
			c.SetDeadline(began.Add(hostileEnd))
			if err := kinds[i%len(kinds)](c); err != nil {
				return // cut off
			}
			if i%len(kinds) == 3 {
				time.Sleep(time.Until(began.Add(hostileTime))) // it reads nothing, so it does not notice the end
				return
			}
			if _, err := io.Copy(io.Discard, c); isTimeout(err) {
				t.Errorf("a connection of kind %d is still open after %v", i%len(kinds), hostileEnd)
			}
		})
	}
	served, failed := 0, 0
	for n := 0; time.Since(began) < hostileTime; n++ {
		if err := postOnce(server.URL, key, n); err != nil {
			failed++
			t.Logf("honest request %d, with %d hostile connections: %v", n, open.Load(), err)
		} else {
			served++
		}
		time.Sleep(5 * time.Millisecond)
	}
	hostile.Wait()
	if failed*100 > served || served < int(hostileTime/honestMax) {
		t.Errorf("%d honest requests failed, %d were answered", failed, served)
	}
	used := bench.ReadUsage(server.Cmd.Process.Pid)
	if used.RSSPeak == 0 || used.RSSPeak > 256<<20+memoryOver {
		t.Errorf("the server's memory reached %d MiB", used.RSSPeak>>20)
	}
	again, err := bench.Dial(context.Background(), server.URL, key)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	var count struct{ Events int }
	answer, err := again.Get("/api/v1/count?name=honest")
	if err == nil {
		err = json.Unmarshal(answer, &count)
	}
	if err != nil || count.Events < served || count.Events > served+failed {
		t.Errorf("%d honest events were answered and %d not; count says %s, %v", served, failed, answer, err)
	}
	if err := server.Stop(); err != nil {
		t.Error(err)
	}
	t.Logf("%d hostile connections, %d honest answers, peak memory %d MiB", *hostileConns, served, used.RSSPeak>>20)
}

// postOnce sends one event as a good client does: over a kept connection, or a new one
// if that was closed meanwhile, and with a key that makes a repetition harmless.
func postOnce(server, key string, n int) error {
	req, err := http.NewRequest("POST", server+"/api/v1/events", strings.NewReader(`{"name":"honest"}`))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", strconv.Itoa(n))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != 200 {
		return errors.New(res.Status)
	}
	return nil
}

// drip sends text byte by byte, ten bytes a second.
func drip(c net.Conn, text string) error {
	for i := range len(text) {
		if _, err := c.Write([]byte{text[i]}); err != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil
}

func isTimeout(err error) bool {
	n, ok := err.(net.Error)
	return ok && n.Timeout()
}
