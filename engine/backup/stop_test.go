package backup_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine/backup"

	"github.com/cockroachdb/pebble/v2"
)

// Who asks a backup that has ended is told so, and does not wait for ever.
func TestAskedAfterTheEnd(t *testing.T) {
	w := newWorld(t, backup.NewMem())
	b, stop := w.start()
	stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := b.SnapshotNow(ctx, false); err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "stopping") {
		t.Errorf("%v", err)
	}
}

// wholeShipper says that its log is whole.
type wholeShipper struct{ backup.Shipper }

func (wholeShipper) Ship(context.Context) error                                 { return nil }
func (wholeShipper) Began(context.Context, *backup.Manifest, time.Time) error   { return nil }
func (wholeShipper) Prune(context.Context, time.Time, []*backup.Manifest) error { return nil }
func (wholeShipper) Shipped() time.Time                                         { return time.Time{} }
func (wholeShipper) Troubles() []string                                         { return nil }
func (wholeShipper) Whole() bool                                                { return true }

// A verification that restores less than was shipped has failed.
func TestVerificationOfTheLog(t *testing.T) {
	w := newWorld(t, backup.NewMem())
	w.change = func(o *backup.Options) {
		o.NewShipper = func(*backup.Vault) backup.Shipper { return wholeShipper{} }
		o.Replay = func(context.Context, *backup.Vault, *backup.Manifest, *pebble.DB, time.Time) (backup.Replayed, error) {
			return backup.Replayed{Why: "the log has a hole"}, nil
		}
	}
	b, _ := w.start()
	eventually(t, "a verification", func() bool { s := b.Status(); return s.LastVerified != nil || s.Error != "" })
	if s := b.Status(); !strings.Contains(s.Error, "the log has a hole") {
		t.Errorf("%+v", s)
	}
	if !slices.ContainsFunc(b.Troubles(), func(s string) bool { return strings.Contains(s, "failed its verification") }) {
		t.Errorf("%q", b.Troubles())
	}
}
