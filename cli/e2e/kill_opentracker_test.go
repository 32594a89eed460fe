package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Running tallies over random traffic of the URL API: increments, decrements, segments
// and uncounted events. Every sender repeats what got no answer, and kill -9 comes in
// the middle. In the end the counters are those of the events sent, each once, whether
// read by either API or recounted by check.
func TestOpentrackerTallies(t *testing.T) {
	t.Parallel()
	const senders, kills, events = 8, 4, 150
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	server := startServer(t, t.TempDir())
	client := &http.Client{Timeout: 10 * time.Second}
	get := func(path string) (int, string, error) {
		res, err := client.Get(server.url() + path)
		if err != nil {
			return 0, "", err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		return res.StatusCode, string(body), err
	}

	want := newTallies()
	var wg sync.WaitGroup
	defer wg.Wait()
	for sender := range senders {
		rng := rand.New(rand.NewPCG(seed, uint64(sender)))
		wg.Go(func() {
			for n := range events {
				h := randomHit(rng, fmt.Sprintf("%d-%d", sender, n))
				want.add(h)
				for tries := 0; ; tries++ {
					status, body, err := get("/?" + h.query())
					if err == nil && status == 200 && body == h.eid {
						if rng.IntN(10) > 0 {
							break // else send it once more, which must change nothing
						}
						continue
					}
					if err == nil && status != 503 || tries > 2000 || t.Failed() {
						t.Errorf("%s: %d %q %v", h.query(), status, body, err)
						return
					}
					time.Sleep(5 * time.Millisecond)
				}
			}
		})
	}
	server.restartAgain(kills)
	wg.Wait()

	key := url.QueryEscape(server.keys().ReadKey)
	for _, property := range []string{"gender", "points", "age-group"} {
		for _, segment := range []string{"", "age-group", "gender"} {
			if segment == property {
				continue
			}
			_, body, err := get("/api/counts?site=app&limit=10000&property=" + property + "&segment=" + segment + "&key=" + key)
			got, parseErr := parseTallies(body)
			if err = errors.Join(err, parseErr); err != nil {
				t.Fatal(err)
			}
			if expect := want.of(property, segment); !maps.Equal(got, expect) {
				t.Errorf("%s by %q:\n got %v\nwant %v", property, segment, got, expect)
			}
			if same := nativeTallies(server, property, segment); !maps.Equal(same, got) {
				t.Errorf("%s by %q: the native API has %v, Opentracker's %v", property, segment, same, got)
			}
		}
	}
	server.finish()
}

// otHit is one random request.
type otHit struct {
	eid, sid       string
	gender, points string
	by             map[string]int64 // amount of each property; absent = 1
	age            string           // "" = none
	segment        bool             // age-group is a segment
	counted        bool
}

func randomHit(rng *rand.Rand, eid string) otHit {
	h := otHit{eid: eid, sid: fmt.Sprint("s", rng.IntN(40)), by: map[string]int64{}, counted: rng.IntN(12) > 0}
	h.gender = []string{"male", "female", "other"}[rng.IntN(3)]
	h.points = fmt.Sprint("level ", rng.IntN(5))
	for _, property := range []string{"gender", "points"} {
		if rng.IntN(3) == 0 {
			h.by[property] = rng.Int64N(41) - 20
		}
	}
	if rng.IntN(2) == 0 {
		h.age, h.segment = fmt.Sprint(10*(1+rng.IntN(4)), "s"), rng.IntN(3) > 0
	}
	return h
}

// query writes the amounts without escapes, as people do in a URL.
func (h otHit) query() string {
	var b strings.Builder
	fmt.Fprintf(&b, "si=app&eid=%s&sid=%s", h.eid, h.sid)
	for property, value := range map[string]string{"gender": h.gender, "points": h.points} {
		fmt.Fprintf(&b, "&%s=%s", property, url.QueryEscape(value))
		if by, ok := h.by[property]; ok {
			fmt.Fprintf(&b, "[%+d]", by)
		}
	}
	switch {
	case h.segment:
		fmt.Fprintf(&b, "&age-group!=%s", h.age)
	case h.age != "":
		fmt.Fprintf(&b, "&age-group=%s", h.age)
	}
	if !h.counted {
		b.WriteString("&increment=false")
	}
	return b.String()
}

// tallies adds up hits.
type tallies struct {
	mu   sync.Mutex
	hits []otHit
}

// otTally is one row.
type otTally struct{ Event, Session, User int64 }

func newTallies() *tallies { return new(tallies) }

func (t *tallies) add(h otHit) {
	t.mu.Lock()
	t.hits = append(t.hits, h)
	t.mu.Unlock()
}

// of returns the rows of a property, "value/segment" each. A session has one user here.
func (t *tallies) of(property, segment string) map[string]otTally {
	rows, sessions := map[string]otTally{}, map[string]map[string]bool{}
	for _, h := range t.hits {
		value := map[string]string{"gender": h.gender, "points": h.points, "age-group": h.age}[property]
		if !h.counted || value == "" || segment == "gender" || segment == "age-group" && !h.segment {
			continue // gender is not a segment: nobody marks it
		}
		at := value + "/"
		if segment != "" {
			at += h.age
		}
		by, ok := h.by[property]
		if !ok {
			by = 1
		}
		if sessions[at] == nil {
			sessions[at] = map[string]bool{}
		}
		sessions[at][h.sid] = true
		n := int64(len(sessions[at]))
		rows[at] = otTally{rows[at].Event + by, n, n}
	}
	return rows
}

func parseTallies(body string) (map[string]otTally, error) {
	var answer struct {
		Data []struct {
			Value, Segment string
			otTally
		}
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return nil, fmt.Errorf("%w in %s", err, body)
	}
	rows := map[string]otTally{}
	for _, row := range answer.Data {
		rows[row.Value+"/"+row.Segment] = row.otTally
	}
	return rows, nil
}

// nativeTallies returns the rows of a property from the native API.
func nativeTallies(server *testServer, property, segment string) map[string]otTally {
	server.Helper()
	var answer struct {
		Rows []struct {
			Value, Segment          string
			Events, Sessions, Users int64
		}
	}
	server.get("/api/v1/counters?limit=1000&property="+property+"&segment="+segment, &answer)
	rows := map[string]otTally{}
	for _, row := range answer.Rows {
		rows[row.Value+"/"+row.Segment] = otTally{row.Events, row.Sessions, row.Users}
	}
	return rows
}
