// Package clickhousetest starts a real ClickHouse for tests: the server of the Debian package
// clickhouse-server, on loopback, in a directory of its own.
package clickhousetest

import (
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
)

// Env names a server to test against besides: the address of a newer one, without a password, whose
// database "cairn_test" may be dropped.
const Env = "CAIRN_TEST_CLICKHOUSE"

// Server is a running server.
type Server struct {
	URL string

	t    testing.TB
	dir  string
	http int
	cmd  *exec.Cmd
}

const config = `<?xml version="1.0"?>
<yandex>
 <logger><level>warning</level><console>1</console></logger>
 <http_port>%[1]d</http_port><tcp_port>%[2]d</tcp_port><listen_host>127.0.0.1</listen_host>
 <max_connections>64</max_connections>
 <path>%[3]s/data/</path><tmp_path>%[3]s/tmp/</tmp_path><format_schema_path>%[3]s/schemas/</format_schema_path>
 <users_config>users.xml</users_config><default_profile>default</default_profile><default_database>default</default_database>
 <mark_cache_size>16777216</mark_cache_size><uncompressed_cache_size>0</uncompressed_cache_size>
 <builtin_dictionaries_reload_interval>3600</builtin_dictionaries_reload_interval>
 <remote_servers><one><shard><replica><host>127.0.0.1</host><port>%[2]d</port></replica></shard></one></remote_servers>
</yandex>
`

const users = `<?xml version="1.0"?>
<yandex>
 <profiles><default><max_memory_usage>800000000</max_memory_usage><max_threads>2</max_threads><background_pool_size>2</background_pool_size></default>
  <small><max_rows_to_sort>2000</max_rows_to_sort></small></profiles>
 <users>
  <default><password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default>
  <secret><password>pass word</password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></secret>
  <small><password></password><networks><ip>127.0.0.1</ip></networks><profile>small</profile><quota>default</quota></small>
  <poor><password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>poor</quota></poor>
 </users>
 <quotas>
  <default><interval><duration>3600</duration><queries>0</queries><errors>0</errors><result_rows>0</result_rows><read_rows>0</read_rows><execution_time>0</execution_time></interval></default>
  <poor><interval><duration>3600</duration><queries>8</queries><errors>0</errors><result_rows>0</result_rows><read_rows>0</read_rows><execution_time>0</execution_time></interval></poor>
 </quotas>
</yandex>
`

// Start starts the server, which ends with the test. The test is skipped unless CAIRN_SDK=1, as those of other
// vendors' programs: together they take longer than "go test ./..." may.
func Start(t testing.TB) *Server {
	t.Helper()
	if os.Getenv("CAIRN_SDK") != "1" {
		t.Skip("CAIRN_SDK=1 runs the tests with a real ClickHouse")
	}
	if _, err := exec.LookPath("clickhouse-server"); err != nil {
		t.Skip("there is no clickhouse-server; apt-get install --no-install-recommends clickhouse-server clickhouse-client")
	}
	s := &Server{t: t, dir: t.TempDir(), http: freePort(t)}
	s.URL = fmt.Sprintf("http://127.0.0.1:%d", s.http)
	for _, name := range []string{"data", "tmp", "schemas"} {
		if err := os.Mkdir(filepath.Join(s.dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"config.xml": fmt.Sprintf(config, s.http, freePort(t), s.dir), "users.xml": users} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.Run()
	t.Cleanup(s.Kill)
	return s
}

// Run starts the server after Kill.
func (s *Server) Run() {
	s.t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.cmd = exec.Command("clickhouse-server", "--config-file="+filepath.Join(s.dir, "config.xml"))
	s.cmd.Stdout, s.cmd.Stderr, s.cmd.Dir = log, log, s.dir
	s.cmd.Env = append(os.Environ(), "TZ=UTC")
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get(s.URL + "/ping")
		if err == nil {
			resp.Body.Close()
			return
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.t.Fatalf("the server does not start: %v\n%s", err, text)
		}
	}
}

// Kill ends the server as a power cut of its process does. It is no error when it does not run.
func (s *Server) Kill() {
	if s.cmd != nil {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		s.cmd = nil
	}
}

// Query asks a server and returns the answer. A wrong answer ends the test.
func Query(t testing.TB, url, query string) string {
	t.Helper()
	answer, err := Ask(url, query)
	if err != nil {
		t.Fatalf("%v\n%.1000s", err, query)
	}
	return answer
}

// Ask is Query for those who expect an error.
func Ask(url, query string) (string, error) {
	resp, err := http.Post(url, "text/plain", strings.NewReader(query))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, answer)
	}
	return strings.TrimSuffix(string(answer), "\n"), err
}

// freePort returns a port that nobody listened at a moment ago.
func freePort(t testing.TB) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}
