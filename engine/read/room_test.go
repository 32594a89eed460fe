package read

import (
	"errors"
	"sync"
	"testing"

	"cairn/engine/query"
)

// Reports share their memory: who needs more than all have is told to ask for less, and who needs
// what others have is told to come again.
func TestReportsShareTheirMemory(t *testing.T) {
	const mb = 1 << 20
	var unbounded *Room
	if !unbounded.Try(mb) || !unbounded.Spare(mb) {
		t.Error("a room without a bound has an end")
	}
	rd := &Reader{reports: newReportBytes(4 * mb)}
	one, other := rd.room(), rd.room()
	if err := one.Add(3 * mb); err != nil {
		t.Fatal(err)
	}
	if err := other.Add(roomFree); err != nil {
		t.Errorf("a little: %v", err)
	}
	if err := other.Add(2 * mb); err != query.ErrReportsBusy {
		t.Errorf("what another has: %v", err)
	}
	if err := other.Add(5 * mb); !errors.Is(err, query.ErrBadQuery) {
		t.Errorf("more than there is: %v", err)
	}
	one.Close()
	if err := other.Add(3 * mb); err != nil {
		t.Errorf("what another had: %v", err)
	}
	other.Reset()
	if free := rd.reports.free.Load(); free != 4*mb {
		t.Errorf("%d bytes are free", free)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 1000 {
				if !one.Try(1000) {
					t.Error("there is no room")
				}
			}
		})
	}
	all.Wait()
	if held := one.held.Load(); held < 4e6-roomFree || held > 4e6-roomFree+roomStep || rd.reports.free.Load() != 4*mb-held {
		t.Errorf("%d bytes are held, %d free", held, rd.reports.free.Load())
	}
	one.Close()
}
