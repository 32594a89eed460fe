package backup

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"
)

// failingShipper fails, however much is due.
type failingShipper struct {
	Shipper
	due   chan struct{}
	calls int
}

func (f *failingShipper) Due() <-chan struct{} { return f.due }

func (f *failingShipper) Shipped() time.Time { return time.Time{} }

func (f *failingShipper) Ship(context.Context) error {
	f.calls++
	return errors.New("the bucket is away")
}

// A bucket that fails is asked again after a pause, also when much is due.
func TestFailedShipWaits(t *testing.T) {
	f := &failingShipper{due: make(chan struct{})}
	close(f.due) // something is always due
	b := &Backup{Options: Options{Log: slog.New(slog.DiscardHandler), Now: time.Now}, shipper: f, vault: &Vault{Bucket: NewMem()}}
	b.LogEvery = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	b.ship(ctx, make(chan struct{}, 1))
	if f.calls == 0 || f.calls > 200 { // tests pause for a few milliseconds; without a pause it is tens of thousands
		t.Errorf("it was asked %d times", f.calls)
	}
}
