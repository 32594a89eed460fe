package native

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"cairn/engine/query"
	"cairn/http/dialect"
	"cairn/http/native/nativetest"
)

// This file tries to make snapshots.

func TestSnapshot(t *testing.T) {
	n := nativetest.Full()
	res := call(t, n, "Asia/Tokyo", "POST", snapshotPath)
	var info query.Snapshot
	if err := json.Unmarshal(res.Body, &info); err != nil || res.Status != 200 || info.Events != 7 || info.Bytes != 4096 {
		t.Fatalf("%d %s", res.Status, res.Body)
	}
	if name := filepath.Base(info.Path); name != "snapshot-20261121-000000-123" || !regexp.MustCompile(`^[a-z0-9-]{1,64}$`).MatchString(name) {
		t.Errorf("name %s", name)
	}
	n.Err = query.ErrDiskFull
	if res := call(t, n, "UTC", "POST", snapshotPath); res.Status != 507 {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	for target, status := range map[string]int{
		snapshotPath + "?name=../../etc": 400, snapshotPath + "?site=shop": 400, "/api/v1/admin/restore": 404,
	} {
		n := nativetest.Full()
		if res := call(t, n, "UTC", "POST", target); res.Status != status || n.Asked != "" {
			t.Errorf("%s: %d %s, asked %s", target, res.Status, res.Body, n.Asked)
		}
	}
}

// The server makes one snapshot at a time. Without a snapshot directory it makes none.
func TestSnapshotRefused(t *testing.T) {
	n := nativetest.Full()
	snapshots := t.TempDir()
	api := &API{engine: n, options: Options{SnapshotDir: func() string { return snapshots }}, now: time.Now}
	req := &dialect.Request{Method: "POST", Path: snapshotPath}
	refused := func(want dialect.Failure) {
		t.Helper()
		var status *dialect.StatusError
		if err := api.Act(t.Context(), req, &dialect.Response{}); !errors.As(err, &status) || status.Failure != want || n.Asked != "" {
			t.Errorf("%v, asked %q", err, n.Asked)
		}
	}
	api.snapshots.Lock()
	refused(dialect.Busy)
	api.snapshots.Unlock()
	snapshots = ""
	refused(dialect.BadRequest)
}
