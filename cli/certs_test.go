package cli

import (
	"log/slog"
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
