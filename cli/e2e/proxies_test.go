//go:build linux

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cairn/http/testkit"
)

// This file runs the files of docs/proxies.md with the real nginx and Caddy, where they are
// installed.

// snippets are the blocks of a language in docs/proxies.md.
func snippets(t *testing.T, language string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, "docs", "proxies.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(text), "```"+language+"\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		all = append(all, block)
	}
	if len(all) != 3 {
		t.Fatalf("%d blocks of %s", len(all), language)
	}
	return all
}

// freePort is a port that nobody has at the moment.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

// replaced is text with pairs of old and new. Each old must be there: the file has changed else.
func replaced(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("the file of docs/proxies.md lacks %q:\n%s", pairs[i], text)
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

// needsProxy finds the program of a proxy, or skips the test.
func needsProxy(t *testing.T, name string) string {
	t.Helper()
	for _, try := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(try); err == nil {
			return path
		}
	}
	t.Skipf("SKIPPED: there is no %s here; .ci/run installs it", name)
	return ""
}

// behind is a proxy that runs.
type behind struct {
	port          string
	base          string // path of the server
	cert, key     string
	upstream      string // "127.0.0.1:1234" or the path of a socket
	socket, below bool
}

// runProxy starts a proxy with a configuration.
func runProxy(t *testing.T, port string, cmd *exec.Cmd) {
	t.Helper()
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() { cmd.Process.Signal(os.Interrupt); <-ended })
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("%s: %s", cmd.Path, log.String())
		default:
		}
		if time.Since(began) > 30*time.Second {
			t.Fatalf("%s does not listen", cmd.Path)
		}
	}
}

// startNginx runs nginx with the files of the documentation.
func startNginx(t *testing.T, b *behind) {
	exe, blocks, dir := needsProxy(t, "nginx"), snippets(t, "nginx"), t.TempDir()
	site := replaced(t, blocks[0], "listen 443 ssl", "listen 127.0.0.1:"+b.port+" ssl", "/etc/ssl/stats.example.pem", b.cert, "/etc/ssl/stats.example.key", b.key)
	pass, more := "http://"+b.upstream, ""
	if b.socket {
		pass, more = "http://cairn", replaced(t, blocks[2], "/run/cairn/http.sock", b.upstream)
	}
	if b.below {
		begin := site[:strings.Index(site, "    location")]
		site = replaced(t, begin, "    client_max_body_size 64m;\n", "") + blocks[1] + "}\n"
	}
	site = replaced(t, site, "http://127.0.0.1:8080", pass)
	user := ""
	if os.Getuid() == 0 {
		user = "user root;\n"
	}
	temp := ""
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temp += fmt.Sprintf("%s_temp_path %s;\n", kind, filepath.Join(dir, kind))
	}
	config := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf("%sdaemon off;\nworker_processes 1;\npid %s/pid;\nerror_log stderr warn;\nevents {}\nhttp {\naccess_log off;\n%s%s%s}\n", user, dir, temp, more, site)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	runProxy(t, b.port, exec.Command(exe, "-p", dir, "-c", config, "-e", "stderr"))
}

// startCaddy runs Caddy with the files of the documentation.
func startCaddy(t *testing.T, b *behind) {
	exe, blocks, dir := needsProxy(t, "caddy"), snippets(t, "caddyfile"), t.TempDir()
	own := []string{"stats.example {\n", "stats.example:" + b.port + " {\n\ttls " + b.cert + " " + b.key + "\n"}
	site := ""
	switch {
	case b.socket:
		site = replaced(t, blocks[2], append(own, "unix//run/cairn/http.sock", "unix/"+b.upstream)...)
	case b.below:
		site = replaced(t, blocks[1], "example.com {\n", "stats.example:"+b.port+" {\n\ttls "+b.cert+" "+b.key+"\n", "127.0.0.1:8080", b.upstream, "/var/www", dir)
	default:
		site = replaced(t, blocks[0], append(own, "127.0.0.1:8080", b.upstream)...)
	}
	config := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(config, []byte("{\n\tadmin off\n\tauto_https disable_redirects\n}\n"+site), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "run", "--config", config, "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	runProxy(t, b.port, cmd)
}

// clientAddress is where the client of a proxy is. It is another address than that of the proxy.
const clientAddress = "127.0.0.2"

func TestProxies(t *testing.T) {
	t.Parallel()
	starts := map[string]func(*testing.T, *behind){"nginx": startNginx, "caddy": startCaddy}
	for kind, start := range starts {
		for place, at := range map[string]behind{"at a host": {}, "below a path": {below: true, base: "/stats"}, "over a socket": {socket: true}} {
			t.Run(kind+" "+place, func(t *testing.T) {
				t.Parallel()
				needsProxy(t, kind)
				b := at
				b.port = freePort(t)
				public := "https://stats.example:" + b.port + b.base
				b.cert, b.key = testkit.Certificate(t, t.TempDir(), "stats.example")
				trusted := "127.0.0.1/32"
				if b.socket {
					trusted = "unix"
				}
				s := startServer(t, t.TempDir(), configured(t, fmt.Sprintf("trusted_proxies = [%q]\npublic_url = %q\n[[site]]\nname = \"shop\"\nid = 1\nip = \"keep\"\n", trusted, public))...)
				b.upstream = strings.TrimPrefix(s.url(), "http://")
				if b.socket {
					b.upstream = filepath.Join(shortTempDir(t), "s")
					s.options.Args = append(s.options.Args, "-listen", "127.0.0.1:0,unix:"+b.upstream)
					s.restart()
				}
				start(t, &b)
				s.throughProxy(&b, public)
				s.finish()
			})
		}
	}
}

// throughProxy is a client of a server behind a proxy.
func (s *testServer) throughProxy(b *behind, public string) {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(clientAddress)}}
	speaks := func(http2 bool) *http.Client {
		return &http.Client{Timeout: 60 * time.Second, Transport: &http.Transport{
			ForceAttemptHTTP2: http2,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, "tcp", "127.0.0.1:"+b.port)
			},
		}}
	}
	client := speaks(true)
	secret := http.Header{"Authorization": {"Bearer " + s.keys().SecretKey}, "Content-Type": {"application/x-ndjson"}}
	send := func(method, path string, header http.Header, body io.Reader) *http.Response {
		s.Helper()
		req, err := http.NewRequest(method, public+path, body)
		if err != nil {
			s.Fatal(err)
		}
		for name, values := range header {
			req.Header[name] = values
		}
		// A client cannot claim another address.
		req.Header["X-Forwarded-For"], req.Header["X-Real-Ip"] = []string{"192.0.2.99"}, []string{"192.0.2.99"}
		res, err := client.Do(req)
		if err != nil {
			s.Fatal(err)
		}
		return res
	}
	text := func(res *http.Response) string {
		s.Helper()
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			s.Fatal(err)
		}
		return string(body)
	}

	res := send("GET", "/healthz", nil, nil)
	if body := text(res); res.StatusCode != 200 || res.ProtoMajor != 2 || !strings.Contains(body, `"ok"`) {
		s.Errorf("health: %d by HTTP/%d: %s", res.StatusCode, res.ProtoMajor, body)
	}
	if res := send("GET", "/metrics", nil, nil); res.StatusCode != 401 {
		s.Errorf("the metrics are for everybody: %d", res.StatusCode)
	}
	if body := text(send("GET", "/v1/projects/"+s.keys().WriteKey+"/settings", nil, nil)); !strings.Contains(body, `"apiHost":"`+strings.TrimPrefix(public, "https://")+`/v1","protocol":"https"`) {
		s.Errorf("the server says it is elsewhere: %.300s", body)
	}

	// What is sent while an answer lasts comes at once. nginx would hold it back by HTTP/1.1.
	client = speaks(false)
	live := send("GET", "/api/v1/live/stream", secret, nil)
	client = speaks(true)
	defer live.Body.Close()
	lines := make(chan string, 64)
	go func() {
		for in := bufio.NewScanner(live.Body); in.Scan(); {
			lines <- in.Text()
		}
		close(lines)
	}()
	res = send("POST", "/api/v1/events", secret, strings.NewReader(`{"name":"seen live","user":"ada"}`))
	if body := text(res); res.StatusCode != 200 {
		s.Fatalf("an event: %d %s", res.StatusCode, body)
	}
	for timeout := time.After(30 * time.Second); ; {
		select {
		case line, open := <-lines:
			if strings.Contains(line, "seen live") {
				break
			}
			if !open {
				s.Fatal("the stream has ended")
			}
			continue
		case <-timeout:
			s.Fatal("the stream is held back")
		}
		break
	}

	// The client's own address is kept.
	res = send("GET", "/matomo.php?idsite=1&rec=1&url=https%3A%2F%2Fshop.example%2F&action_name=Home&_id=0123456789abcdef", http.Header{"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"}}, nil)
	if body := text(res); res.StatusCode != 200 {
		s.Fatalf("a hit: %d %s", res.StatusCode, body)
	}
	var list struct {
		Events []struct{ Context map[string]any }
	}
	s.get("/api/v1/events?dialect=matomo", &list)
	if len(list.Events) != 1 || list.Events[0].Context["ip"] != clientAddress {
		s.Errorf("the client is %v", list.Events)
	}

	// The proxy leaves the limits to cairn: a large body passes, one that is too large gets cairn's answer.
	line := `{"name":"large","properties":{"pad":"` + strings.Repeat("x", 20<<10) + `"}}` + "\n"
	if res := send("POST", "/api/v1/events", secret, strings.NewReader(strings.Repeat(line, 250))); res.StatusCode != 200 {
		s.Errorf("5 MB: %d %.200s", res.StatusCode, text(res))
	}
	if res := send("POST", "/dashboard/login", nil, strings.NewReader(strings.Repeat(line, 20))); res.StatusCode != 413 {
		s.Errorf("a form of 400 KB: %d %.200s", res.StatusCode, text(res))
	} else if body := text(res); !strings.Contains(body, `"status":413`) {
		s.Errorf("a form of 400 KB: %.200s", body)
	}

	// The dashboard takes forms from its own pages.
	login := send("POST", "/dashboard/login", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Origin": {strings.TrimSuffix(public, b.base)}}, strings.NewReader("key="+s.keys().SecretKey))
	if body := text(login); login.StatusCode != 200 || !strings.HasPrefix(login.Request.URL.String(), public+"/dashboard") {
		s.Errorf("login: %d at %s: %.200s", login.StatusCode, login.Request.URL, body)
	}
	cookie := ""
	for r := login; r != nil && r.Request.Response != nil; r = r.Request.Response {
		cookie += r.Request.Response.Header.Get("Set-Cookie")
	}
	if !strings.Contains(cookie, "; Path="+b.base) || !strings.Contains(cookie, "Secure") {
		s.Errorf("the cookie is %q", cookie)
	}
}
