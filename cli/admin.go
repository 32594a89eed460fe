package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"cairn/cli/bench"
	"cairn/cli/config"
	"cairn/engine"
	"cairn/engine/check"
	"cairn/engine/query"
	"cairn/http/adminlog"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/dustin/go-humanize"
)

// This file has the operator's commands on data: snapshot, restore and check.

// snapshot is "cairn snapshot". It asks the running server for a snapshot, because only the
// server may write. -to moves the finished directory.
func snapshot(args []string, stdout, stderr io.Writer) int {
	f := newFlags("snapshot", "[flags]", "Ask the running server for a snapshot and print its path. Copy the snapshot to another\nmachine. \"cairn restore\" makes a data directory from it.")
	var cf config.Flags
	cf.Register(f.FlagSet)
	url := f.String("url", "", "reach the server at `URL` (default: through its data directory)")
	to := f.String("to", "", "move the finished snapshot to `DIR`, which must not exist yet and must be on the same file system")
	if code, done := f.parse(args, 0, 0, stdout, stderr); done {
		return code
	}
	info, err := func() (query.Snapshot, error) {
		var none query.Snapshot
		cfg, _, err := config.Load(cf, os.Environ())
		if err != nil {
			return none, err
		}
		if err := readAdminToken(&cfg); err != nil {
			return none, err
		}
		if *to != "" {
			if _, err := os.Lstat(*to); err == nil {
				return none, fmt.Errorf("%s already exists", *to)
			}
			from, err := snapshotDir(&cfg)
			if err != nil {
				return none, err
			}
			if *url == "" && !sameFileSystem(from, *to) {
				return none, fmt.Errorf("-to %s is not on the file system of the snapshots, %s; no snapshot was made. Set snapshot_dir to a directory on that file system, or copy the snapshot yourself", *to, from)
			}
		}
		server, err := reach(&cfg, *url)
		if err != nil {
			return none, err
		}
		var info query.Snapshot
		return info, server.ask(http.MethodPost, "/api/v1/admin/snapshot", &info)
	}()
	if err != nil {
		return fail(stderr, "snapshot", err)
	}
	if *to != "" {
		if err := os.Rename(info.Path, *to); err != nil {
			if errors.Is(err, syscall.EXDEV) {
				err = fmt.Errorf("%s is on another file system", *to)
			}
			return fail(stderr, "snapshot", fmt.Errorf("the snapshot is complete and stays at %s: %w", info.Path, err))
		}
		info.Path = *to
	}
	fmt.Fprintf(stdout, "%s\n", info.Path)
	fmt.Fprintf(stderr, "%s, %s\n", plural(info.Events, "event"), humanize.IBytesN(uint64(info.Bytes), 3))
	return ExitOK
}

// restore is "cairn restore".
func restore(args []string, stdout, stderr io.Writer) int {
	f := newFlags("restore", "[flags] SNAPSHOT|BACKUP[@TIME] DATA_DIR", "Make a data directory from a snapshot, or from a backup: s3://BUCKET/PREFIX or a directory\nthat the server backs up to. With a TIME such as 2026-11-30T14:05Z the store is as it was\nthen; \"cairn backup list\" shows from when on. DATA_DIR must be empty or not exist yet.\nA damaged or unfinished snapshot is refused. The data directory also gets the keys that\ncairn generated.\n\nEvents that were deleted after the snapshot was made stay deleted: the server keeps copies\nof deletions in \"deletions\" beside the snapshots.")
	var cf config.Flags
	cf.Register(f.FlagSet)
	copies := f.String("deletions", "", "the `DIR` with the copies of deletions (default: \"deletions\" beside the snapshot, else in snapshot_dir of the configuration)")
	if code, done := f.parse(args, 2, 2, stdout, stderr); done {
		return code
	}
	from, at, err := cutTime(f.Arg(0))
	if err != nil {
		return fail(stderr, "restore", err)
	}
	to := f.Arg(1)
	if isBucket(from) {
		if err := restoreBucket(cf, from, at, to, stdout, stderr); err != nil {
			return fail(stderr, "restore", err)
		}
		noteCommand(to, slog.New(slog.NewTextHandler(stderr, nil)), adminlog.Entry{Action: adminlog.Restore, What: filepath.Base(filepath.Clean(from))})
		fmt.Fprintf(stdout, "Verify it with \"cairn check %s\", then run \"cairn serve -data %s\".\n", to, to)
		return ExitOK
	}
	if !at.IsZero() {
		return fail(stderr, "restore", fmt.Errorf("%s is no backup; a time can be given to a backup alone", from))
	}
	if !dirExists(from) {
		return fail(stderr, "restore", fmt.Errorf("there is no directory %s", from))
	}
	dir := *copies
	if dir == "" {
		dir = deletionsFor(cf, from)
	} else if _, err := os.Stat(dir); err != nil {
		return fail(stderr, "restore", err)
	}
	applied, err := engine.Restore(vfs.Default, from, to, dir)
	if err != nil {
		return fail(stderr, "restore", err)
	}
	noteCommand(to, slog.New(slog.NewTextHandler(stderr, nil)), adminlog.Entry{Action: adminlog.Restore, What: filepath.Base(filepath.Clean(from))})
	fmt.Fprintf(stdout, "%s is restored from %s.\n", to, from)
	switch {
	case applied.Deletions > 0:
		fmt.Fprintf(stdout, "%s, made after the snapshot, hide %s again.\n", plural(uint64(applied.Deletions), "deletion"), plural(applied.Rows, "event"))
	case applied.Copies == 0:
		fmt.Fprintf(stdout, "There are no copies of deletions in %s. What was deleted after the snapshot was made is back, unless\nnothing was. If the copies are elsewhere, remove %s and restore again with -deletions DIR.\n", dir, to)
	}
	fmt.Fprintf(stdout, "Verify it with \"cairn check %s\", then run \"cairn serve -data %s\".\n", to, to)
	return ExitOK
}

// deletionsFor finds the copies of deletions for a snapshot: beside it, where they are made; beside the
// other snapshots, if an upgrade has made it in the data directory; or in snapshot_dir if the
// snapshot was moved.
func deletionsFor(cf config.Flags, snapshot string) string {
	beside := filepath.Join(filepath.Dir(filepath.Clean(snapshot)), engine.DeletionsName)
	if _, err := os.Stat(beside); err == nil {
		return beside
	}
	if others := filepath.Join(filepath.Dir(filepath.Clean(snapshot)), snapshotsName, engine.DeletionsName); dirExists(others) {
		return others
	}
	cfg, _, err := config.Load(cf, os.Environ())
	if err != nil {
		return beside
	}
	dir, err := snapshotDir(&cfg)
	if err != nil {
		return beside
	}
	if kept := filepath.Join(dir, engine.DeletionsName); dirExists(kept) {
		return kept
	}
	return beside
}

// snapshotsName is the directory for snapshots in a data directory, unless snapshot_dir says another.
const snapshotsName = "snapshots"

func dirExists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// checkStore is "cairn check".
func checkStore(args []string, stdout, stderr io.Writer) int {
	f := newFlags("check", "DATA_DIR|SNAPSHOT", "Read every event of a snapshot, or of a data directory whose server is stopped. Compare\nthe index, counters and totals with a recount, and print every difference. The exit code\nis 1 if there is any.")
	memory := config.Default().Memory
	f.Func("memory", "use about `SIZE` of memory (default 256MiB); ids that do not fit go to a temporary directory", func(s string) error { return memory.UnmarshalText([]byte(s)) })
	if code, done := f.parse(args, 1, 1, stdout, stderr); done {
		return code
	}
	if memory < checkMemoryMin {
		return fail(stderr, "check", fmt.Errorf("-memory %v: must be at least 128MiB", memory))
	}
	dir := f.Arg(0)
	if _, err := os.Stat(dir); err != nil {
		return fail(stderr, "check", err)
	}
	if err := checkStored(dir); err != nil {
		return fail(stderr, "check", err)
	}
	lock, err := lockDir(dir, false)
	if err != nil {
		return fail(stderr, "check", err)
	}
	defer lock.Close()
	debug.SetMemoryLimit(int64(memory))
	start := time.Now()
	progress, clear := checkProgress(stderr, start)
	report, err := check.With(context.Background(), check.Options{Dir: dir, Memory: int64(memory), Progress: progress})
	clear()
	if err != nil {
		if engine.Damaged(err) != nil {
			showSurvey(stdout, dir)
		}
		return fail(stderr, "check", explainLock(err, dir))
	}
	for _, p := range report.Problems {
		fmt.Fprintln(stdout, p)
	}
	kind := "data directory"
	if report.Snapshot {
		kind = "snapshot"
	}
	if n := len(report.Problems); n > 0 {
		fmt.Fprintf(stdout, "The %s %s is NOT good: %s, listed above.\n", kind, filepath.Clean(dir), plural(uint64(n), "difference"))
		showSurvey(stdout, dir)
		return ExitFailed
	}
	if report.Lost > 0 {
		fmt.Fprintf(stdout, "A repair could not save %s. Where some are lost, ids and sessions are not compared.\n", plural(report.Lost, "event"))
	}
	fmt.Fprintf(stdout, "The %s %s is good: %s of %s recounted in %.1f s; %s, %s not yet sealed.\n", kind, filepath.Clean(dir),
		plural(report.Events, "event"), plural(uint64(report.Sites), "site"), time.Since(start).Seconds(), plural(uint64(report.Runs), "run"), plural(report.Unsealed, "event"))
	return ExitOK
}

// checkMemoryMin is the least memory for a check: merging a run takes some 60 MiB.
const checkMemoryMin = 128 << 20

// checkProgress prints to w how far a check is, once a second, if w is a terminal. clear
// removes the line.
func checkProgress(w io.Writer, start time.Time) (progress func(done, of uint64), clear func()) {
	if !bench.IsTerminal(w) {
		return nil, func() {}
	}
	last := start
	return func(done, of uint64) {
		if now := time.Now(); now.Sub(last) >= time.Second {
			last = now
			left := time.Duration(float64(now.Sub(start)) / float64(done) * float64(of-done)).Round(time.Second)
			fmt.Fprintf(w, "\r\x1b[K%3.0f%%  %s of %s events, %v left", 100*float64(done)/float64(of), humanize.Comma(int64(done)), humanize.Comma(int64(of)), left)
		}
	}, func() { fmt.Fprint(w, "\r\x1b[K") }
}

// plural is a number and the noun that it counts, such as "1 site" or "2,000 events".
func plural(n uint64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return humanize.Comma(int64(n)) + " " + noun
}
