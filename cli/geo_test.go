package cli

import (
	"bytes"
	"strings"
	"testing"
)

func TestGeoCommand(t *testing.T) {
	for _, c := range []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string // parts of
	}{
		{"an address", []string{"193.0.6.139"}, ExitOK, "country       NL", ""},
		{"its source", []string{"193.0.6.139"}, ExitOK, "https://db-ip.com", ""},
		{"as JSON", []string{"-json", "::ffff:193.0.6.139"}, ExitOK, `{"country":"NL","ip":"::ffff:193.0.6.139"}`, ""},
		{"a private one", []string{"10.0.0.1"}, ExitOK, "location unknown", ""},
		{"garbage", []string{"300.1.1.1"}, ExitUsage, "", "not an IP address"},
		{"nothing", nil, ExitUsage, "", "too few"},
		{"a missing file", []string{"-database", "absent.mmdb", "193.0.6.139"}, ExitFailed, "NL", "absent.mmdb"},
	} {
		var stdout, stderr bytes.Buffer
		if code := cmdGeo(c.args, &stdout, &stderr); code != c.code {
			t.Errorf("%s: exit %d, want %d: %s", c.name, code, c.code, &stderr)
		}
		if !strings.Contains(stdout.String(), c.stdout) || !strings.Contains(stderr.String(), c.stderr) {
			t.Errorf("%s:\n%s%s", c.name, &stdout, &stderr)
		}
	}
}
