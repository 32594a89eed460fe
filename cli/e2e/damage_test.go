package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/cli/bench"
	"cairn/geo/geotest"

	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// This file damages one file of a data directory, a snapshot or the configuration, of every kind
// that cairn reads. Then the real binary refuses to start or to restore, and says which file is
// damaged, what is lost at most, and what to do; or it tells of the damage while it runs; or
// everything is right. The store's own files are tried in more ways in engine.
//
//	go test ./cli/e2e -run DamagedAnything -damage.trials=1000

var (
	damageTrials = flag.Int("damage.trials", 24, "damaged directories to try")
	damageSeed   = flag.Uint64("damage.seed", 1, "where the trials begin")
)

// damageKinds are the kinds of files, by their paths below the directory of a trial. The first
// that matches counts.
var damageKinds = []struct {
	name string
	of   *regexp.Regexp
}{
	{"lock, not read", regexp.MustCompile(`/LOCK$`)},
	{"SNAPSHOT.json", regexp.MustCompile(`^snapshots/.*/SNAPSHOT\.json$`)},
	{"keys.toml of a snapshot", regexp.MustCompile(`^snapshots/.*/keys\.toml$`)},
	{"other file of a snapshot", regexp.MustCompile(`^snapshots/`)},
	{"keys.toml", regexp.MustCompile(`^data/keys\.toml$`)},
	{"OPTIONS", regexp.MustCompile(`/OPTIONS-`)},
	{"marker", regexp.MustCompile(`/marker\.`)},
	{"store.spare", regexp.MustCompile(`/store\.spare/`)},
	{"MANIFEST", regexp.MustCompile(`/MANIFEST-`)},
	{"log", regexp.MustCompile(`\.log$`)},
	{"table", regexp.MustCompile(`\.sst$`)},
	{"high-water mark", regexp.MustCompile(`/hwm-`)},
	{"salts", regexp.MustCompile(`/salts$`)},
	{"geo database", regexp.MustCompile(`^places\.mmdb`)},
	{"configuration with the sites", regexp.MustCompile(`^cairn\.toml$`)},
}

const (
	damageHome = "@HOME@" // in the configuration: the directory of the trial
	damageAddr = "216.160.83.56"
	damageCity = "Milton"
)

// damageBase makes what the trials damage: files by path, and what each of the two sites
// answers.
func damageBase(t *testing.T) (tree map[string][]byte, want map[string]string) {
	t.Helper()
	home := t.TempDir()
	database := geotest.Database(t, "GeoIP2-City", "216.160.83.56/29", mmdbtype.Map{
		"country": mmdbtype.Map{"iso_code": mmdbtype.String("US")},
		"city":    mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String(damageCity)}},
	})
	conf := fmt.Sprintf("snapshot_dir = %q\nreserve = \"0\"\ntrusted_proxies = [\"127.0.0.1\"]\n\n[geo]\ndatabase = %q\n",
		damageHome+"/snapshots", damageHome+"/places.mmdb")
	for _, name := range []string{"blog", "shop"} {
		conf += fmt.Sprintf("\n[[site]]\nname = %q\nread_key = \"rk_%s_0123456789abcdef0123456789\"\n", name, name)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sum := sha256.Sum256(database)
	write("places.mmdb", string(database))
	write("places.mmdb.sha256", hex.EncodeToString(sum[:])+"  places.mmdb\n")
	write("cairn.toml", strings.ReplaceAll(conf, damageHome, home))
	for life := range 3 {
		server := damageServer(t, home)
		for i, site := range server.Keys.Sites {
			for n := range 20 + 10*i {
				var batch bytes.Buffer
				for e := range 5 {
					fmt.Fprintf(&batch, `{"name":"event %d","user":"u%d","properties":{"life":%d,"n":%d}}`+"\n", e, n%7, life, n)
				}
				if code, body := damageAsk(t, server, site.SecretKey, "POST", "/api/v1/events", &batch); code != 200 {
					t.Fatal(code, body)
				}
			}
		}
		if life == 1 {
			if code, body := damageAsk(t, server, server.Keys.AdminToken, "POST", "/api/v1/admin/snapshot", nil); code != 200 {
				t.Fatal(code, body)
			}
		}
		if life == 2 {
			want = map[string]string{}
			for i := range server.Keys.Sites {
				key := server.Keys.Sites[i].SecretKey // every site's own
				want[key] = damageState(t, server, key)
			}
			for _, name := range []string{"blog", "shop"} {
				key := "rk_" + name + "_0123456789abcdef0123456789"
				want[key] = damageState(t, server, key)
			}
		}
		if err := server.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	tree = readTree(t, home)
	tree["cairn.toml"] = []byte(conf)
	return tree, want
}

// damageServer starts a server on the directory of a trial.
func damageServer(t *testing.T, home string) *bench.Child {
	t.Helper()
	server, err := startDamaged(home, "data")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	return server
}

func startDamaged(home, data string) (*bench.Child, error) {
	o, err := serveOptions(filepath.Join(home, data), "-config", filepath.Join(home, "cairn.toml"))
	if err != nil {
		return nil, err
	}
	return bench.StartChild(context.Background(), o)
}

func readTree(t *testing.T, home string) map[string][]byte {
	t.Helper()
	tree := make(map[string][]byte)
	err := filepath.WalkDir(home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(home, path)
		if err != nil {
			return err
		}
		tree[filepath.ToSlash(name)], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func writeTree(t *testing.T, home string, tree map[string][]byte) {
	t.Helper()
	for name, data := range tree {
		path := filepath.Join(home, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// damageAsk sends a request and returns the status, 0 for none, and the body.
func damageAsk(t *testing.T, server *bench.Child, key, method, path string, body io.Reader) (code int, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, server.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	req.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("X-Forwarded-For", damageAddr)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(b)
}

// damageState returns all that a key reads: the number of events, their list and the users.
func damageState(t *testing.T, server *bench.Child, key string) string {
	t.Helper()
	var b strings.Builder
	for _, path := range []string{"/api/v1/count", "/api/v1/events?limit=1000", "/api/v1/users?limit=1000", "/api/v1/counters?property=n"} {
		code, body := damageAsk(t, server, key, "GET", path, nil)
		fmt.Fprintln(&b, code, body)
	}
	return b.String()
}

// harmOne damages one file: of a random kind, so that each kind has its share.
func harmOne(rng *rand.Rand, tree map[string][]byte) (kind, name, what string, data []byte) {
	byKind := make(map[string][]string)
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		for _, k := range damageKinds {
			if k.of.MatchString(name) {
				byKind[k.name] = append(byKind[k.name], name)
				break
			}
		}
	}
	kinds := slices.Sorted(maps.Keys(byKind))
	for {
		kind = kinds[rng.IntN(len(kinds))]
		name = byKind[kind][rng.IntN(len(byKind[kind]))]
		good := tree[name]
		how := rng.IntN(6)
		if how == 0 {
			return kind, name, "deleted", nil
		}
		if len(good) == 0 {
			continue
		}
		at := rng.IntN(len(good))
		data = slices.Clone(good)
		switch how {
		case 1:
			bit := rng.IntN(8)
			data[at] ^= 1 << bit
			what = fmt.Sprintf("bit %d of byte %d flipped", bit, at)
		case 2:
			data[at] = byte(rng.IntN(256))
			what = fmt.Sprintf("byte %d is %#x", at, data[at])
		case 3:
			at = at / 4096 * 4096
			clear(data[at:min(at+4096, len(data))])
			what = fmt.Sprintf("4 KiB zeroed at %d", at)
		case 4:
			data = data[:at]
			what = fmt.Sprintf("cut to %d bytes", at)
		case 5:
			from, to := at/512*512, rng.IntN(len(good))/512*512
			if from+512 > len(good) || to+512 > len(good) {
				continue
			}
			copy(data[from:], good[to:to+512])
			copy(data[to:], good[from:from+512])
			what = fmt.Sprintf("512 bytes at %d and %d swapped", from, to)
		}
		if !bytes.Equal(data, good) {
			return kind, name, fmt.Sprintf("%s, of %d", what, len(good)), data
		}
	}
}

// A refusal says which file, what is lost at most, and what to do next.
var (
	refusalFile = regexp.MustCompile(`keys\.toml|cairn\.toml|SNAPSHOT\.json|salts|file store/|store/(\d{6,}\.(sst|log)|MANIFEST-\d+|marker\.)|store is damaged|corrupt: store:|log of site|ids of site|run \d+ of site|list of|the log|file \S+ (is damaged|does not belong)|file \S+: |hwm-`)
	refusalLoss = regexp.MustCompile(`[Nn]o event is lost|At most .* (is|are) lost`)
	refusalNext = regexp.MustCompile(`cairn (check|repair|restore|keys -accept)|Mend `)
)

func refusal(text string) string {
	for what, pattern := range map[string]*regexp.Regexp{"file": refusalFile, "loss": refusalLoss, "next step": refusalNext} {
		if !pattern.MatchString(text) {
			return fmt.Sprintf("NAMELESS: a refusal without its %s: %s", what, text)
		}
	}
	return "refused"
}

func TestDamagedAnything(t *testing.T) {
	t.Parallel()
	tree, want := damageBase(t)
	trials := *damageTrials
	if testing.Short() {
		trials = min(trials, 8)
	}
	outcomes := map[string]int{}
	for i := range trials {
		seed := *damageSeed + uint64(i)
		kind, name, what, data := harmOne(rand.New(rand.NewPCG(seed, 78)), tree)
		outcome := tryDamaged(t, tree, want, kind, name, data)
		first, _, _ := strings.Cut(outcome, ":")
		outcomes[kind+": "+first]++
		if strings.ToUpper(outcome[:4]) == outcome[:4] {
			t.Errorf("%s, %s: %s\nagain: go test ./cli/e2e -run DamagedAnything -damage.trials=1 -damage.seed=%d", name, what, outcome, seed)
		}
	}
	t.Logf("%d damaged directories:", trials)
	for _, outcome := range slices.Sorted(maps.Keys(outcomes)) {
		t.Logf("%6d %s", outcomes[outcome], outcome)
	}
}

// tryDamaged runs cairn where one file is damaged, and returns what happens. A word in capitals
// says what must not happen.
func tryDamaged(t *testing.T, tree map[string][]byte, want map[string]string, kind, name string, data []byte) string {
	t.Helper()
	home, err := os.MkdirTemp("", "cairn-damage-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(home)
	bad := maps.Clone(tree)
	bad["cairn.toml"] = bytes.ReplaceAll(bad["cairn.toml"], []byte(damageHome), []byte(home))
	if bad[name] = data; data == nil {
		delete(bad, name)
	} else if name == "cairn.toml" {
		bad[name] = bytes.ReplaceAll(data, []byte(damageHome), []byte(home))
	}
	writeTree(t, home, bad)
	served := "data"
	if strings.HasPrefix(name, "snapshots/") {
		snapshot := filepath.Join(home, "snapshots", strings.Split(name, "/")[1])
		served = "restored"
		if code, text := runCairn(t, "restore", snapshot, filepath.Join(home, served)); code != 0 {
			if entries, err := os.ReadDir(filepath.Join(home, served)); err == nil && len(entries) > 0 {
				return fmt.Sprintf("LEFT %d files of a refused restore", len(entries))
			}
			return refusal(text)
		}
		return "SILENT: a damaged snapshot is restored"
	}
	server, startErr := startDamaged(home, served)
	if err := startErr; err != nil {
		if strings.Contains(err.Error(), "not listening") {
			return "HUNG at the start"
		}
		for file, was := range bad {
			now, err := os.ReadFile(filepath.Join(home, filepath.FromSlash(file)))
			if err != nil || !bytes.Equal(now, was) {
				return fmt.Sprintf("CHANGED %s, though the start is refused: %v", file, startErr)
			}
		}
		return refusal(err.Error())
	}
	defer server.Kill()
	warned := strings.Contains(server.Log(), `"level":"WARN"`)
	right, told := 0, 0
	for key, state := range want {
		switch now := damageState(t, server, key); {
		case now == state:
			right++
		case strings.Contains(now, "\n0 ") || strings.HasPrefix(now, "0 "):
			return "HUNG at a query: " + now
		case strings.Contains(now, `"error":"corrupt"`):
			told++
		case kind == "configuration with the sites" && (warned || strings.HasPrefix(now, "401 ")):
			told++ // an edit of the configuration looks the same
		default:
			return "SILENT: " + now[:min(len(now), 200)]
		}
	}
	_, health := damageAsk(t, server, "", "GET", "/healthz", nil)
	degraded := strings.Contains(health, "degraded")
	if told > 0 {
		if kind != "configuration with the sites" && !degraded {
			return "UNTOLD: a query says it is damaged, but /healthz does not"
		}
		return "runs, and tells of it"
	}
	// A new event is placed by the geo database, or /healthz says why not.
	key := "rk_blog_0123456789abcdef0123456789"
	code, answer := damageAsk(t, server, "", "GET", "/matomo.php?idsite=1&rec=1&action_name=after&url=https://blog.example/", nil)
	if code != 200 {
		return fmt.Sprintf("runs, refuses an event: %d %s", code, answer)
	}
	var listed struct {
		Events []struct {
			Context map[string]any `json:"context"`
		} `json:"events"`
	}
	if _, body := damageAsk(t, server, key, "GET", "/api/v1/events?limit=1", nil); json.Unmarshal([]byte(body), &listed) != nil || len(listed.Events) != 1 {
		return "SILENT: the new event is not listed: " + body
	}
	placed := listed.Events[0].Context["city"] == damageCity
	switch {
	case !placed && degraded:
		return "runs, and tells of it"
	case !placed && kind == "configuration with the sites":
		return "runs with what the configuration says"
	case !placed:
		return fmt.Sprintf("SILENT: the new event is at %v", listed.Events[0].Context)
	case degraded:
		return "runs, and tells of it"
	}
	return "runs, and all is right"
}

// A snapshot that cannot be restored, because its list of files is damaged, can be repaired.
func TestRepairOfASnapshot(t *testing.T) {
	t.Parallel()
	data, snapshot := storeWith(t)
	list := filepath.Join(snapshot, "SNAPSHOT.json")
	if err := os.WriteFile(list, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	restored := filepath.Join(filepath.Dir(data), "restored")
	code, text := runCairn(t, "restore", snapshot, restored)
	if code == 0 || refusal(text) != "refused" || !strings.Contains(text, "cairn repair "+snapshot) {
		t.Errorf("restore: %d %s", code, text)
	}
	if code, text := runCairn(t, "repair", snapshot, restored); code != 0 {
		t.Fatal(text)
	}
	if code, text := runCairn(t, "check", restored); code != 0 {
		t.Error(text)
	}
	server := serveOn(t, restored)
	if got := ask(t, server, server.Keys.Sites[0].SecretKey); !strings.Contains(got, `"events":1`) {
		t.Errorf("the repaired snapshot has %s", got)
	}
}
