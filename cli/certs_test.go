package cli

import (
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"cairn/cli/config"
)

// An authority that refused a host is not asked again because a key or a site has changed: it allows
// few failures an hour. It is asked at once when what is asked of it has changed.
func TestFetchesWait(t *testing.T) {
	cfg := config.Default()
	cfg.DataDir = t.TempDir()
	cfg.ACMEHosts, cfg.ACMEDirectory = []string{"a.example"}, "https://127.0.0.1:1/directory"
	c, err := newCertificates(&cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	now := time.Now()
	change := func(next config.Config) []string {
		t.Helper()
		apply, err := c.Prepare(&next)
		if err != nil {
			t.Fatal(err)
		}
		if apply != nil {
			apply()
		}
		return c.due(now)
	}
	if got := c.due(now); len(got) != 1 {
		t.Fatalf("at the start %q are fetched", got)
	}
	other := cfg
	other.IPRate = 7
	if got := change(other); len(got) != 0 {
		t.Errorf("after another change %q are fetched a second time", got)
	}
	other.ACMEEmail = "ops@example.com"
	if got := change(other); len(got) != 1 {
		t.Errorf("for another account %q are fetched", got)
	}
}

// A server that only reads shows the certificates that are there. It asks no authority, and keeps
// nothing.
func TestLookCertificates(t *testing.T) {
	var asked atomic.Int32
	ca := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { asked.Add(1); w.WriteHeader(403) }))
	ca.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	ca.StartTLS()
	defer ca.Close()
	cfg := config.Default()
	cfg.DataDir = t.TempDir()
	cfg.ACMEHosts, cfg.ACMEDirectory = []string{"a.example"}, ca.URL
	cfg.ACMECA = t.TempDir() + "/ca.pem"
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Certificate().Raw})
	if err := os.WriteFile(cfg.ACMECA, root, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := lookCertificates(&cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Fetch("a.example"); err == nil || asked.Load() != 0 {
		t.Errorf("%v: the authority was asked %d times", err, asked.Load())
	}
	if entries, _ := os.ReadDir(cfg.DataDir); len(entries) != 0 {
		t.Errorf("the data directory has %v", entries)
	}
}
