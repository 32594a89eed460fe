package httpd

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"cairn/engine"
)

// matomoHit is a page view as browsers send it; its visitor's id is to be filled in.
const matomoHit = "idsite=1&rec=1&r=381240&h=14&m=20&s=5&url=https%%3A%%2F%%2Fshop.example%%2Fproducts%%2F4711&urlref=https%%3A%%2F%%2Fwww.google.com%%2F&action_name=Teapots%%20%%2F%%20Green&_id=%016x&pv_id=a1B2c3&pf_net=12&pf_srv=80&pdf=1&cookie=1&res=1920x1080&dimension1=member"

// benchmarkMatomo sends the requests of 64 connections over sockets to a store on
// disk: each is answered when its events are fsynced.
func benchmarkMatomo(b *testing.B, events int, request func(n uint64) string) {
	site := matomoSite()
	e, err := engine.Open(engine.Options{
		Dir: b.TempDir(), Sites: []*engine.Site{site.Site}, Reserve: -1,
		Enrich: engine.NewEnricher(engine.EnricherOptions{}), Visitors: hashedVisitors{},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	s := start(b, func(o *Options) { o.Engine, o.Sites = e, []*Site{site} })
	var next atomic.Uint64
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range 64 {
		c := s.dial()
		wg.Go(func() {
			r := bufio.NewReader(c)
			for left.Add(-1) >= 0 {
				if err := roundTrip(c, r, request(next.Add(1))); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N*events)/b.Elapsed().Seconds(), "events/s")
}

// roundTrip sends one request and reads its answer, which is a 2xx.
func roundTrip(c net.Conn, r *bufio.Reader, request string) error {
	if _, err := c.Write([]byte(request)); err != nil {
		return err
	}
	n := 0
	for first := true; ; first = false {
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		if first && !strings.HasPrefix(line, "HTTP/1.1 20") {
			return fmt.Errorf("%s", line)
		}
		if length, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			fmt.Sscan(length, &n)
		}
		if line == "\r\n" {
			_, err := r.Discard(n)
			return err
		}
	}
}

const matomoAgent = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\nAccept-Language: en-GB,en;q=0.5\r\n"

func BenchmarkMatomoPixel(b *testing.B) {
	benchmarkMatomo(b, 1, func(n uint64) string {
		return "GET /matomo.php?" + fmt.Sprintf(matomoHit, n/5) + " HTTP/1.1\r\nHost: localhost\r\n" + matomoAgent + "\r\n"
	})
}

func BenchmarkMatomoBulk200(b *testing.B) {
	benchmarkMatomo(b, 200, func(n uint64) string {
		var body strings.Builder
		body.WriteString(`{"requests":[`)
		for i := range uint64(200) {
			if i > 0 {
				body.WriteByte(',')
			}
			fmt.Fprintf(&body, `"?`+matomoHit+`"`, (200*n+i)/5)
		}
		body.WriteString(`]}`)
		return fmt.Sprintf("POST /matomo.php HTTP/1.1\r\nHost: localhost\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", matomoAgent, body.Len(), body.String())
	})
}
