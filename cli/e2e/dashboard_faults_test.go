package e2e

import (
	"bytes"
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// This file breaks what the dashboard stands on while somebody looks: hostile events, a server
// that is killed or too slow, a key that is changed, a damaged file.

// What strangers send is text on every screen: nothing of it runs, asks anybody or breaks a page.
func TestDashboardHostile(t *testing.T) {
	t.Parallel()
	s := newDashboard(t, "[[site]]\nname = \"default\"\norigins = [\"https://shop.example\"]\n")
	s.script("hostile.mjs")
}

// A server that is killed leaves the old numbers in place, and the page goes on when it is back.
// A server that is busy is asked again. A key that is changed ends the sessions that it opened.
func TestDashboardFaults(t *testing.T) {
	t.Parallel()
	const before, after, secret = "read-key-of-the-first-hour-0000001", "read-key-of-the-second-hour-000001", "secret-key-that-stays-000000000001"
	config := func(key string) string {
		return "[[site]]\nname = \"default\"\nread_key = \"" + key + "\"\nsecret_key = \"" + secret + "\"\n"
	}
	s := newDashboard(t, config(before))
	next := configured(t, config(after))
	done := func(err error) (string, error) { return "done", err }
	control := s.control(map[string]func() (string, error){
		"kill":  func() (string, error) { s.running().Kill(); return done(nil) },
		"start": func() (string, error) { return done(s.tryRestart()) },
		"rotate": func() (string, error) {
			s.setFlags(next)
			return done(s.tryRestart())
		},
	})
	s.script("faults.mjs", control, "READ_KEY="+before, "NEXT_KEY="+after, "SECRET_KEY="+secret)
}

// A question that takes too long, and more questions than a session may have, are answered by the
// server itself: the page says so, and goes on when it can.
func TestDashboardBusy(t *testing.T) {
	t.Parallel()
	s := newDashboard(t, "")
	plain := slices.Clone(s.options.Env)
	s.script("busy.mjs", s.control(map[string]func() (string, error){
		"slow": func() (string, error) {
			s.options.Env = append(slices.Clone(plain), queryTimeEnv+"=1ns")
			return "", s.tryRestart()
		},
		"quick": func() (string, error) {
			s.options.Env = plain
			return "", s.tryRestart()
		},
	}))
}

// Of a store with damage, panels say that what they show cannot be counted, and the file to whoever
// runs the server.
func TestDashboardDamage(t *testing.T) {
	t.Parallel()
	s := newDashboard(t, "")
	s.fillRun()
	if err := s.running().Stop(); err != nil {
		t.Fatal(err)
	}
	file := harmRun(t, s.options.Dir)
	if err := s.tryRestart(); err != nil {
		t.Fatal(err)
	}
	s.script("damage.mjs", "FILE="+file, s.control(map[string]func() (string, error){"keys": s.allKeys}))
}

// fillRun sends as many events as make a run of the store, the part of a site that is read from the
// disk.
func (s *sdk) fillRun() {
	header := map[string]string{"Authorization": "Bearer " + s.keys().SecretKey, "Content-Type": "application/json"}
	for part := range 7 {
		batch := make([]map[string]string, 10_000)
		for i := range batch {
			n := strconv.Itoa(part*len(batch) + i)
			batch[i] = map[string]string{"type": "page", "name": "Page " + n[len(n)-1:], "anonymous": "p" + strconv.Itoa(i%900)}
		}
		s.post("/api/v1/events", header, batch)
	}
}

// harmRun overwrites the middle of the largest table of a store, which holds what was sent, and
// returns its name.
func harmRun(t *testing.T, dir string) string {
	t.Helper()
	var tables []string
	sizes := map[string]int64{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".sst" {
			var info fs.FileInfo
			if info, err = d.Info(); err == nil {
				tables, sizes[path] = append(tables, path), info.Size()
			}
		}
		return err
	})
	if err != nil || len(tables) == 0 {
		t.Fatalf("tables: %v, %v", tables, err)
	}
	file := slices.MaxFunc(tables, func(a, b string) int { return cmp.Compare(sizes[a], sizes[b]) })
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(bytes.Repeat([]byte("damage"), int(sizes[file]/12)), sizes[file]/4)
	if err := cmp.Or(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return filepath.Base(file)
}
