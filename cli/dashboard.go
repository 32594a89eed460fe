package cli

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"cairn/cli/config"
	httpd "cairn/http"
)

// This file prints links that open the dashboard.

// announceDashboard prints a link that opens the dashboard once.
func announceDashboard(w io.Writer, srv *httpd.Server) {
	if url, _, err := srv.LoginLink(); err == nil {
		fmt.Fprintf(w, "\n  Open the dashboard (once, within 15 minutes):\n  %s\n", url)
	}
}

// openDashboard is "cairn dashboard". It asks the running server for a link.
func openDashboard(args []string, stdout, stderr io.Writer) int {
	f := newFlags("dashboard", "[flags]", "Ask the running server for a link that opens the dashboard, and print it. The link counts\nonce, within 15 minutes. Whoever opens it sees all sites, as with the admin token.")
	var cf config.Flags
	cf.Register(f.FlagSet)
	url := f.String("url", "", "reach the server at `URL`, with which the link begins then (default: through its data directory)")
	if code, done := f.parse(args, 0, 0, stdout, stderr); done {
		return code
	}
	link, err := loginLink(cf, *url)
	if err != nil {
		return fail(stderr, "dashboard", err)
	}
	fmt.Fprintln(stdout, link)
	return ExitOK
}

// loginLink calls POST /api/v1/admin/login-link.
func loginLink(cf config.Flags, url string) (string, error) {
	cfg, _, err := config.Load(cf, os.Environ())
	if err != nil {
		return "", err
	}
	if err := readAdminToken(&cfg); err != nil {
		return "", err
	}
	s, err := reach(&cfg, url)
	if err != nil {
		return "", err
	}
	var answer struct {
		URL string `json:"url"`
	}
	if err := s.ask(http.MethodPost, "/api/v1/admin/login-link", &answer); err != nil {
		return "", err
	}
	if url != "" {
		// A proxy may stand before the server, which does not know its address.
		if i := strings.LastIndex(answer.URL, "/dashboard/open/"); i >= 0 {
			return s.base + answer.URL[i:], nil
		}
	}
	return answer.URL, nil
}
