package engine_test

import (
	"errors"
	"testing"

	"cairn/engine"
	"cairn/engine/query"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The share of a token is found, as it is now, until it is removed; also after a restart.
func TestShareOf(t *testing.T) {
	fs := vfs.NewMem()
	e, opts, site := openSaved(t, fs)
	defer func() { _ = e.Close() }()
	ctx := t.Context()
	nobody := func(token [32]byte) {
		t.Helper()
		if _, s, err := e.ShareOf(ctx, token); !errors.Is(err, query.ErrNotFound) {
			t.Errorf("%x: %+v, %v", token[:2], s, err)
		}
	}
	nobody([32]byte{1, 2, 3}) // before there is one: the list is made
	share := someSaved(t, e, site)[1]
	for range 2 {
		if at, s, err := e.ShareOf(ctx, [32]byte{1, 2, 3}); err != nil || at != site.ID || s.ID != share.ID || s.Share.Scope != share.Share.Scope {
			t.Fatalf("site %d: %+v, %v", at, s, err)
		}
		nobody([32]byte{1, 2})
		nobody([32]byte{})
		share.Share = &query.Share{Scope: "people"} // a change keeps the token
		var err error
		if share, err = e.Save(ctx, site, share); err != nil {
			t.Fatal(err)
		}
		if _, s, err := e.ShareOf(ctx, [32]byte{1, 2, 3}); err != nil || s.Share.Scope != "people" {
			t.Errorf("changed: %+v, %v", s, err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if e, err = engine.Open(opts); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Unsave(ctx, site, share.ID); err != nil {
		t.Fatal(err)
	}
	nobody([32]byte{1, 2, 3})
	if _, _, err := e.ShareOf(ctx, [32]byte{1, 2, 3}); !errors.Is(err, query.ErrNotFound) {
		t.Error(err)
	}
}
