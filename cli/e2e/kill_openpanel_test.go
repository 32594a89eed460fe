package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// 64 senders increment two properties of one profile while the server is killed with
// SIGKILL again and again. Each repeats a call until it is answered. One property is
// incremented with an Idempotency-Key: it equals the number of calls. The other lies
// between the number of calls and the number of requests that may have been stored.
func TestOpenPanelIncrementsKilled(t *testing.T) {
	t.Parallel()
	const senders, kills, calls = 64, 4, 12
	server := startServer(t, t.TempDir())
	keys := server.keys()
	client := &http.Client{Timeout: 10 * time.Second}
	increment := func(property, key string) (answered, refused bool) {
		body := fmt.Sprintf(`{"type":"increment","payload":{"profileId":"ada","property":%q}}`, property)
		req, err := http.NewRequest("POST", server.url()+"/track", strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return false, true
		}
		req.Header.Set("openpanel-client-id", keys.ClientID)
		req.Header.Set("openpanel-client-secret", keys.ClientSecret)
		if key != "" {
			req.Header.Set("Idempotency-Key", key)
		}
		res, err := client.Do(req)
		if err != nil {
			return false, false
		}
		answer, err := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != 200 && res.StatusCode != 503 {
			t.Errorf("%d %s %v", res.StatusCode, answer, err)
		}
		return res.StatusCode == 200, res.StatusCode == 503
	}

	var unknown atomic.Int64 // requests for "plain" that got no answer
	var wg sync.WaitGroup
	defer wg.Wait()
	for sender := range senders {
		wg.Go(func() {
			for call := range calls {
				for _, property := range []string{"plain", "keyed"} {
					key := ""
					if property == "keyed" {
						key = fmt.Sprint(sender, "-", call)
					}
					for tries := 0; ; tries++ {
						answered, refused := increment(property, key)
						if answered {
							break
						}
						if !refused && property == "plain" {
							unknown.Add(1)
						}
						if tries > 2000 || t.Failed() {
							t.Error("no answer")
							return
						}
						time.Sleep(5 * time.Millisecond)
					}
				}
			}
		})
	}
	server.restartAgain(kills)
	wg.Wait()

	var ada struct {
		Properties struct{ Plain, Keyed int64 }
	}
	server.get("/api/v1/users/ada", &ada)
	const all = senders * calls
	if got := ada.Properties.Keyed; got != all {
		t.Errorf("with keys the property is %d, want %d", got, all)
	}
	if got, most := ada.Properties.Plain, all+unknown.Load(); got < all || got > most {
		t.Errorf("without keys the property is %d, want %d to %d", got, all, most)
	}
	t.Logf("%d unknown outcomes", unknown.Load())
	server.finish()
}
