package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"time"

	"cairn/cli/config"
	"cairn/engine/backup"
	"cairn/engine/backup/dir"
	"cairn/engine/backup/s3"
	"cairn/engine/check"
	"cairn/engine/query"
	httpd "cairn/http"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// This file is the part of the server that backs up the store.

// backupScratch is the directory in the data directory that the backup has for itself.
const backupScratch = "backup.tmp"

// backups is the part. It is there without a backup, too, since a reload may bring one.
type backups struct {
	log *slog.Logger

	mu      sync.Mutex
	process *process // nil while the store is closed
	table   config.Backup
	running *backup.Backup // nil = none
	stop    func()         // ends running, and returns when it has
	wrong   error          // why none is running although one is configured
}

func newBackups(cfg *config.Config, log *slog.Logger) *backups {
	return &backups{log: log, table: cfg.Backup}
}

// openBucket opens the place of a backup. It asks nothing of a server.
func openBucket(b *config.Backup, to string) (backup.Bucket, error) {
	if !strings.HasPrefix(to, "s3://") {
		return dir.Open(to)
	}
	bucket, err := s3.Open(s3.Options{To: to, Endpoint: b.Endpoint, Region: b.Region, PathStyle: b.PathStyle, CA: b.CA,
		AccessKey: b.AccessKey, AccessSecret: b.AccessSecret, Role: b.Credentials == "role"})
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	return bucket, nil
}

// Start implements starter.
func (b *backups) Start(_ context.Context, p *process) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.process = p
	return b.begin()
}

// begin begins the configured backup, if there is one. b.mu is held.
func (b *backups) begin() error {
	b.wrong = nil
	if b.table.To == "" || b.process == nil || b.process.engine.ReadOnly() {
		return nil
	}
	bucket, err := openBucket(&b.table, b.table.To)
	if err != nil {
		return err
	}
	cfg, eng := b.process.config(), b.process.engine
	host, _ := os.Hostname()
	settings := b.table.Settings()
	log, err := eng.LogSource()
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	run, err := backup.New(backup.Options{
		Settings: settings, Bucket: bucket, Store: eng, Scratch: filepath.Join(cfg.DataDir, backupScratch), Host: host, Log: b.log,
		NewShipper: func(v *backup.Vault) backup.Shipper { return backup.NewShipper(v, log, settings.LogEvery == 0, b.log) },
		Replay:     backup.ReplayLog, Deletions: backup.CopiesOf,
		Recount: recounter(int64(cfg.Memory) / recountShare), Room: roomBeyond(cfg),
	})
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		run.Run(ctx)
	}()
	b.running, b.stop = run, func() { cancel(); <-ended }
	return nil
}

// recountShare is the share of the memory that a recount of a restored copy may take.
const recountShare = 8

// placeFormat is how the place of a recount is kept.
const placeFormat = "site %d, event %d"

// recounter returns what recounts a restored data directory from a place on, for a time, and says
// where to go on.
func recounter(memory int64) func(ctx context.Context, dir, from string, most time.Duration) (string, []string, error) {
	return func(ctx context.Context, dir, from string, most time.Duration) (next string, problems []string, err error) {
		bounded, cancel := context.WithTimeout(ctx, most)
		defer cancel()
		var at check.Place
		if _, err := fmt.Sscanf(from, placeFormat, &at.Site, &at.Seq); err != nil {
			at = check.Place{} // it begins anew
		}
		report, err := check.With(bounded, check.Options{Dir: dir, Memory: memory, From: at})
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			err = nil // it has no time for the rest
		}
		if report.Next != (check.Place{}) {
			next = fmt.Sprintf(placeFormat, report.Next.Site, report.Next.Seq)
		}
		return next, report.Problems, err
	}
}

// roomBeyond returns how many bytes a file system has beyond the reserve.
func roomBeyond(cfg *config.Config) func(dir string) (int64, error) {
	reserve, err := cfg.ReserveBytes()
	return func(dir string) (int64, error) {
		if err != nil {
			return 0, err
		}
		usage, err := vfs.Default.GetDiskUsage(dir)
		return int64(usage.AvailBytes) - max(reserve, 0), err
	}
}

// Stop implements starter.
func (b *backups) Stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end()
	b.process = nil
}

// end ends the running backup. b.mu is held.
func (b *backups) end() {
	if b.running != nil {
		b.stop()
		b.process.engine.EndShipping()
		b.running, b.stop = nil, nil
	}
}

// Prepare implements reloader.
func (b *backups) Prepare(next *config.Config) (apply func(), err error) {
	b.mu.Lock()
	same := reflect.DeepEqual(next.Backup, b.table)
	b.mu.Unlock()
	if same {
		return nil, nil
	}
	if next.Backup.To != "" {
		if _, err := openBucket(&next.Backup, next.Backup.To); err != nil {
			return nil, err
		}
	}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.end()
		b.table = next.Backup
		if b.wrong = b.begin(); b.wrong != nil {
			b.log.Error("the backup cannot go on with the new configuration", "error", b.wrong)
		}
	}, nil
}

// current is the running backup, nil = none.
func (b *backups) current() *backup.Backup {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.running
}

// Metrics implements part.
func (b *backups) Metrics(put func(name, kind, help string, value float64, labels ...string)) {
	if run := b.current(); run != nil {
		run.Metrics(put)
	}
}

// Troubles implements part.
func (b *backups) Troubles() (reasons []string) {
	b.mu.Lock()
	run, wrong := b.running, b.wrong
	b.mu.Unlock()
	if wrong != nil {
		reasons = append(reasons, "the backup is not running; see the log")
	}
	if run != nil {
		reasons = append(reasons, run.Troubles()...)
	}
	return reasons
}

// Options implements asked.
func (b *backups) Options(o *httpd.Options) { o.Backups = b }

// Backups implements native.Backups.
func (b *backups) Backups() ([]byte, error) {
	run := b.current()
	if run == nil {
		return nil, query.ErrNotFound
	}
	return json.Marshal(run.Status())
}

// BackUp implements native.Backups.
func (b *backups) BackUp(ctx context.Context, take bool) ([]byte, error) {
	run := b.current()
	if run == nil {
		return nil, query.ErrNotFound
	}
	made, err := run.SnapshotNow(ctx, take)
	if err != nil {
		return nil, err
	}
	return json.Marshal(backedUp{made.Manifest.Describe(), made.Objects, made.Sent, made.Seconds})
}

// backedUp is the JSON of a snapshot that was asked for.
type backedUp struct {
	backup.Snapshot
	Objects int     `json:"objects"` // that were stored
	Sent    int64   `json:"sent"`    // bytes of them
	Seconds float64 `json:"seconds"`
}

// The part does all that a part can.
var (
	_ part     = (*backups)(nil)
	_ starter  = (*backups)(nil)
	_ reloader = (*backups)(nil)
	_ asked    = (*backups)(nil)
)
