package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cairn/engine/backup/s3test"
	"cairn/engine/check"
)

// backupTo is the configuration of a backup to a fake server.
func backupTo(url string) string {
	return fmt.Sprintf("[backup]\nto = \"s3://bucket/shop\"\nendpoint = %q\npath_style = true\naccess_key = \"key\"\naccess_secret = \"secret\"\nlog_every = \"0s\"\n", url)
}

// send stores n events and returns how many were acknowledged.
func (s *testServer) send(n int, text string) int {
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, "{\"name\":\"n%d\",\"user\":\"u%d\",\"properties\":{\"text\":%q}}\n", i%5, i%97, text)
	}
	if code, _ := damageAsk(s.T, s.running(), s.keys().SecretKey, "POST", "/api/v1/events", strings.NewReader(lines.String())); code == 200 {
		return n
	}
	return 0
}

// backUp has the server back up, and returns how many events the snapshot has. If it did not come to
// an end, why is what the server has answered.
func (s *testServer) backUp() (events int, why string) {
	code, body := damageAsk(s.T, s.running(), s.running().Keys.AdminToken, "POST", "/api/v1/admin/backups", nil)
	var made struct{ Events int }
	if code != 200 || json.Unmarshal([]byte(body), &made) != nil {
		return 0, fmt.Sprintf("%d %s", code, body)
	}
	return made.Events, ""
}

// restoreOf restores the backup of a configuration. It returns what the command has printed.
func restoreOf(s *testServer, flags []string, dir string) (string, error) {
	text, err := exec.Command(s.options.Exe, append(append([]string{"restore"}, flags...), "s3://bucket/shop", dir)...).CombinedOutput()
	return string(text), err
}

// Whenever the server is killed, the bucket restores to a good store that has all that was
// acknowledged before the newest backup that was answered.
func TestKillDuringBackup(t *testing.T) {
	t.Parallel()
	bucket := s3test.New("bucket")
	proxy := &s3test.Proxy{To: bucket, Delay: 3 * time.Millisecond, Next: func(string, string) s3test.Fault { return s3test.Slow }}
	web := httptest.NewServer(proxy)
	defer web.Close()
	flags := configured(t, backupTo(web.URL))
	s := startServer(t, t.TempDir(), flags...)
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	backed, sent := 0, 0
	for cycle := range 6 {
		var killed atomic.Bool
		ended := make(chan struct{})
		promised := backed
		go func() {
			defer close(ended)
			for i := 0; !killed.Load(); i++ {
				sent += s.send(200, strings.Repeat("x", i%50))
				before := sent
				if events, why := s.backUp(); why == "" {
					promised = before
					if events < before {
						t.Errorf("the snapshot has %d events, %d were acknowledged before", events, before)
					}
				}
			}
		}()
		time.Sleep(time.Duration(50+rng.IntN(400)) * time.Millisecond)
		killed.Store(true)
		s.running().Kill()
		<-ended
		backed = promised
		if err := s.tryRestart(); err != nil {
			t.Fatal(err)
		}
		if backed == 0 {
			continue // it was killed before the first one
		}
		dir := filepath.Join(t.TempDir(), fmt.Sprintf("restored-%d", cycle))
		if text, err := restoreOf(s, flags, dir); err != nil {
			t.Fatalf("restore: %v %s", err, text)
		}
		report, err := check.Store(t.Context(), nil, dir)
		if err != nil || len(report.Problems) > 0 || report.Events < uint64(backed) {
			t.Errorf("%d of %d events are restored, %v %q", report.Events, backed, err, report.Problems)
		}
	}
	// On a slow machine the first snapshot after the start takes longer than a request may.
	why := ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if _, why = s.backUp(); !strings.Contains(why, "under way") && !strings.Contains(why, "not finished") {
			break
		}
	}
	if why != "" {
		t.Errorf("the last server does not back up: %s", why)
	}
	if backed == 0 {
		t.Error("no cycle has made a backup")
	}
	if left, _ := filepath.Glob(filepath.Join(s.options.Dir, "backup.tmp", "*")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// Whenever a restore is killed, what it leaves is refused by serve, or it is the whole store.
func TestKillDuringRestore(t *testing.T) {
	t.Parallel()
	bucket := s3test.New("bucket")
	proxy := &s3test.Proxy{To: bucket, Delay: 5 * time.Millisecond, Next: func(string, string) s3test.Fault { return s3test.Slow }}
	web := httptest.NewServer(proxy)
	defer web.Close()
	flags := configured(t, backupTo(web.URL))
	s := startServer(t, t.TempDir(), flags...)
	sent := s.send(3000, "a text")
	events, why := s.backUp()
	if why != "" || events != sent {
		t.Fatalf("%d of %d events are backed up; %s", events, sent, why)
	}
	s.running().Kill()
	whole, refused := 0, 0
	for i := range 25 {
		dir := filepath.Join(t.TempDir(), "restored")
		cmd := exec.Command(s.options.Exe, append(append([]string{"restore"}, flags...), "s3://bucket/shop", dir)...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i*8) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if _, err := os.Stat(filepath.Join(dir, "store")); errors.Is(err, os.ErrNotExist) {
			if _, err := os.Stat(filepath.Join(dir, "store.partial")); err != nil {
				continue // it had not begun: at most there is an empty directory
			}
			refused++
			// A server must not begin a new store there.
			if code, text := runCairn(t, "serve", "-data", dir, "-listen", "127.0.0.1:0"); code == 0 || !strings.Contains(text, "restore") {
				t.Errorf("killed after %d ms: serve says %d %s", i*8, code, text)
			}
			continue
		}
		whole++
		report, err := check.Store(t.Context(), nil, dir)
		if err != nil || len(report.Problems) > 0 || report.Events != uint64(sent) {
			t.Errorf("killed after %d ms: %d events, %v %q", i*8, report.Events, err, report.Problems)
		}
	}
	t.Logf("%d whole, %d refused", whole, refused)
	dir := filepath.Join(t.TempDir(), "restored")
	if text, err := restoreOf(s, flags, dir); err != nil {
		t.Errorf("not killed: %v %s", err, text)
	}
}
