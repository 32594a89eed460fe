package cli

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestCutTime(t *testing.T) {
	odd := filepath.Join(t.TempDir(), "a@b")
	if err := os.Mkdir(odd, 0o700); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 30, 14, 5, 0, 0, time.UTC)
	for _, c := range []struct {
		from, place string
		at          time.Time
		bad         bool
	}{
		{from: "s3://bucket/shop", place: "s3://bucket/shop"},
		{from: "s3://bucket/shop@2026-11-30T14:05Z", place: "s3://bucket/shop", at: at},
		{from: "/mnt/backup@2026-11-30T14:05:00Z", place: "/mnt/backup", at: at},
		{from: "/mnt/backup@2026-11-30T15:05:00+01:00", place: "/mnt/backup", at: at},
		{from: "/mnt/backup@2026-11-30 14:05", place: "/mnt/backup", at: at},
		{from: "/mnt/backup@2026-11-30T14:05:00.000Z", place: "/mnt/backup", at: at},
		{from: "/mnt/me@home/backup", place: "/mnt/me@home/backup"},
		{from: odd, place: odd},
		{from: "/mnt/backup@yesterday", bad: true},
	} {
		place, got, err := cutTime(c.from)
		if (err != nil) != c.bad || !c.bad && (place != c.place || !got.Equal(c.at)) {
			t.Errorf("%s: %s, %v, %v", c.from, place, got, err)
		}
	}
}
