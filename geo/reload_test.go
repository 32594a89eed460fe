package geo

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// countryOf returns a file that has one country for every address of the test.
func countryOf(tb testing.TB, code string) []byte {
	return build(tb, "Country", map[string]m{"0.0.0.0/0": {"country": m{"iso_code": s(code)}}})
}

// replace puts data at path by rename, with a different modification time each time.
func replace(tb testing.TB, path string, data []byte, n int) {
	tb.Helper()
	tmp := path + ".new"
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	at := time.Date(2026, 1, 1, 0, 0, n, 0, time.UTC)
	if err := os.Chtimes(tmp, at, at); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(tmp, path); err != nil {
		tb.Fatal(err)
	}
}

// TestReload follows one file: good, broken, missing and good again.
func TestReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "geo.mmdb")
	addr := netip.MustParseAddr("129.6.15.28")
	l := Open(Options{Files: []string{path}, Poll: -1})
	defer l.Close()

	good := countryOf(t, "FR")
	gz := func(data []byte) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	checksum := func(data []byte) func() {
		return func() {
			sum := sha256.Sum256(data)
			replace(t, path+".sha256", []byte(hex.EncodeToString(sum[:])+"  geo.mmdb\n"), 50)
		}
	}
	steps := []struct {
		name     string
		data     []byte // nil: the file is missing
		before   func()
		want     string
		degraded bool
		failures uint64
	}{
		{"not there yet: the embedded one serves", nil, nil, "US", true, 1},
		{"appears", good, nil, "FR", false, 1},
		{"replaced", countryOf(t, "IT"), nil, "IT", false, 1},
		{"half a file", good[:len(good)/2], nil, "IT", true, 2},
		{"empty", []byte{}, nil, "IT", true, 3},
		{"not a database", []byte("<html>404</html>"), nil, "IT", true, 4},
		{"good again", good, nil, "FR", false, 4},
		{"away: the loaded one stays", nil, nil, "FR", true, 5},
		{"back, compressed", gz(countryOf(t, "ES")), nil, "ES", false, 5},
		{"a broken archive", gz(good)[:200], nil, "ES", true, 6},
		{"with its checksum", good, checksum(good), "FR", false, 6},
		{"with another's checksum", countryOf(t, "PT"), nil, "FR", true, 7},
	}
	for i, step := range steps {
		if step.before != nil {
			step.before()
		}
		if step.data == nil {
			os.Remove(path)
		} else {
			replace(t, path, step.data, i)
		}
		l.Reload()
		l.Reload() // nothing changed, so nothing is loaded
		st := l.Status()
		if got := l.Lookup(addr).Country; got != step.want {
			t.Errorf("%s: %q, want %q", step.name, got, step.want)
		}
		if (len(l.Troubles()) > 0) != step.degraded || st.Files[0].Failures != step.failures {
			t.Errorf("%s: status %+v", step.name, st.Files[0])
		}
	}
}

// TestWatch checks that a change is noticed without a call.
func TestWatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "geo.mmdb")
	replace(t, path, countryOf(t, "FR"), 1)
	l := Open(Options{Files: []string{path}, Poll: time.Millisecond})
	defer l.Close()
	replace(t, path, countryOf(t, "IT"), 2)
	addr := netip.MustParseAddr("1.1.1.1")
	for deadline := time.Now().Add(10 * time.Second); l.Lookup(addr).Country != "IT"; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the change was never seen")
		}
	}
}

// TestReloadUnderLoad replaces good and broken files while four goroutines look up
// addresses. Every answer comes from one of the good files.
func TestReloadUnderLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "geo.mmdb")
	a, b := countryOf(t, "FR"), countryOf(t, "IT")
	replace(t, path, a, 0)
	l := Open(Options{Files: []string{path}, Poll: -1})
	defer l.Close()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				addr := netip.AddrFrom4([4]byte{8, byte(g), byte(i >> 8), byte(i)})
				if got := l.Lookup(addr).Country; got != "FR" && got != "IT" {
					t.Errorf("%s: %q", addr, got)
					return
				}
			}
		}()
	}
	for i := 1; i < 200; i++ {
		switch i % 3 {
		case 0:
			replace(t, path, a, i)
		case 1:
			replace(t, path, b, i)
		case 2:
			replace(t, path, a[:i], i)
		}
		l.Reload()
	}
	close(stop)
	wg.Wait()
	if st := l.Status(); st.Failed != 0 {
		t.Errorf("%d lookups failed", st.Failed)
	}
}

func TestMetrics(t *testing.T) {
	l := Open(Options{Files: []string{"testdata/absent.mmdb"}, Poll: -1})
	defer l.Close()
	got, heads := map[string]float64{}, map[string]string{}
	l.Metrics(func(name, kind, help string, value float64, labels ...string) {
		sample := name + " " + strings.Join(labels, " ")
		if _, twice := got[sample]; twice || kind+help == "" || heads[name] != "" && heads[name] != kind+help {
			t.Errorf("%s: twice, or with several heads", sample)
		}
		got[sample], heads[name] = value, kind+help
	})
	built := got["cairn_geo_database_built_seconds file embedded"]
	if built < 17e8 || built > 18e8 { // 2026, Unix time
		t.Errorf("the embedded database is of %v", built)
	}
	for sample, want := range map[string]float64{
		"cairn_geo_database_up file testdata/absent.mmdb":             0,
		"cairn_geo_database_up file embedded":                         1,
		"cairn_geo_database_failures_total file testdata/absent.mmdb": 1,
		"cairn_geo_lookup_failures_total ":                            0,
	} {
		if n, ok := got[sample]; !ok || n != want {
			t.Errorf("%s is %v, %v", sample, n, ok)
		}
	}
}

// TestSetFiles replaces the list of files: the new ones are in use when it returns, one that stays
// is not read again, and without files the embedded database answers.
func TestSetFiles(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one.mmdb"), filepath.Join(dir, "two.mmdb")
	replace(t, one, countryOf(t, "FR"), 0)
	replace(t, two, countryOf(t, "IT"), 0)
	addr := netip.MustParseAddr("129.6.15.28")
	l := Open(Options{Poll: -1})
	defer l.Close()
	own := l.Lookup(addr).Country
	for _, c := range []struct {
		files []string
		want  string
	}{
		{[]string{one}, "FR"}, {[]string{two}, "IT"}, {[]string{one, two}, "FR"}, {[]string{two, one}, "IT"}, {[]string{dir + "/none"}, own}, {nil, own},
	} {
		l.SetFiles(c.files)
		if got := l.Lookup(addr).Country; got != c.want {
			t.Errorf("%v: %s is in %q, want %q", c.files, addr, got, c.want)
		}
	}
	l.SetFiles([]string{one})
	l.SetFiles([]string{one, two})
	if files := l.Status().Files; files[0].Loads != 1 || files[1].Loads != 1 {
		t.Errorf("files are read %d and %d times, want once", files[0].Loads, files[1].Loads)
	}
}
