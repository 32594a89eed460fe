package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"cairn/cli/bench"
	"cairn/cli/config"
	"cairn/engine/backup"
	"cairn/engine/check"

	"github.com/dustin/go-humanize"
)

// This file has the commands on backups: "cairn backup", and "cairn restore" from a bucket.

const backupHelp = `Without an argument, or with "list", list the snapshots in the backup.

  now       have the running server back up at once. -take takes over the backup from
            another server that backs up to the same place.
  verify    read every object of all snapshots and of the log back and compare it.
            -scratch DIR also restores the newest snapshot to DIR, which must not exist,
            checks every event, and removes DIR again.

"list" and "verify" need no running server: they read the place that [backup] of the
configuration names, or -from.`

func cmdBackup(args []string, stdout, stderr io.Writer) int {
	f := newFlags("backup", "[flags] [now|list|verify]", backupHelp)
	var cf config.Flags
	cf.Register(f.FlagSet)
	url := f.String("url", "", "reach the server at `URL` (default: through its data directory)")
	take := f.Bool("take", false, "with now: take over the backup from another server")
	from := f.String("from", "", "with list and verify: the `PLACE` of the backup, s3://BUCKET/PREFIX or a directory (default: \"to\" of [backup])")
	scratch := f.String("scratch", "", "with verify: restore to `DIR`, check and remove it")
	// The word may stand before the flags, as in "cairn backup now -take".
	word := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		word, args = args[0], args[1:]
	}
	if code, done := f.parse(args, 0, 1, stdout, stderr); done {
		return code
	}
	if word == "" {
		word = f.Arg(0)
	} else if f.NArg() > 0 {
		word = "?"
	}
	cfg, warnings, err := config.Load(cf, os.Environ())
	if err != nil {
		return fail(stderr, "backup", err)
	}
	switch word {
	case "now":
		err = backUpNow(&cfg, *url, *take, stdout)
	case "", "list":
		err = listBackups(&cfg, *from, stdout)
	case "verify":
		for _, w := range warnings {
			fmt.Fprintln(stderr, w)
		}
		err = verifyBackup(&cfg, *from, *scratch, stdout, stderr)
	default:
		fmt.Fprintf(stderr, "cairn backup: use one of now, list and verify\n")
		return ExitUsage
	}
	if err != nil {
		return fail(stderr, "backup", err)
	}
	return ExitOK
}

func backUpNow(cfg *config.Config, url string, take bool, stdout io.Writer) error {
	if err := readAdminToken(cfg); err != nil {
		return err
	}
	server, err := reach(cfg, url)
	if err != nil {
		return err
	}
	path := "/api/v1/admin/backups"
	if take {
		path += "?take=1"
	}
	var made backedUp
	if err := server.ask(http.MethodPost, path, &made); err != nil {
		if strings.Contains(err.Error(), "answered 404") {
			return errors.New("the server has no backup; set \"to\" in [backup] of its configuration and start it again")
		}
		return err
	}
	fmt.Fprintf(stdout, "%s: %s, %s; sent %s in %s, %.1f s\n", made.Time.Format(time.RFC3339), plural(made.Events, "event"), humanize.IBytesN(uint64(made.Bytes), 3),
		humanize.IBytesN(uint64(made.Sent), 3), plural(uint64(made.Objects), "object"), made.Seconds)
	return nil
}

// openBackup opens the place of a backup for reading.
func openBackup(ctx context.Context, cfg *config.Config, from string) (*backup.Vault, error) {
	if from == "" {
		from = cfg.Backup.To
	}
	if from == "" {
		return nil, errors.New(`no backup is configured; set "to" in [backup], or name the place with -from`)
	}
	bucket, err := openBucket(&cfg.Backup, from)
	if err != nil {
		return nil, err
	}
	return backup.OpenVault(ctx, bucket, cfg.Backup.Settings().Passphrase, false)
}

// listLayout is how a list writes times; "cairn restore" reads it.
const listLayout = "2006-01-02T15:04:05.000Z"

func listBackups(cfg *config.Config, from string, stdout io.Writer) error {
	ctx := context.Background()
	v, err := openBackup(ctx, cfg, from)
	if err != nil {
		return err
	}
	names, err := backup.Manifests(ctx, v)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		fmt.Fprintf(stdout, "There is no snapshot in %s.\n", v)
		return nil
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TIME\tEVENTS\tSIZE\tSTORE\tAND EVERY MOMENT UP TO")
	var damaged []error
	var all []*backup.Manifest
	for _, name := range names {
		m, err := backup.ReadManifest(ctx, v, name)
		if err != nil {
			damaged = append(damaged, err)
			continue
		}
		all = append(all, m)
	}
	spans, err := backup.Spans(ctx, v, all)
	if err != nil {
		return err
	}
	for i, m := range all {
		s, upTo := m.Describe(), "-"
		if spans[i].To.After(spans[i].From) {
			upTo = spans[i].To.Format(listLayout)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.Time.Format(listLayout), humanize.Comma(int64(s.Events)), humanize.IBytesN(uint64(s.Bytes), 3), s.Incarnation, upTo)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "Restore one with \"cairn restore %s@TIME DATA_DIR\".\n", v)
	return errors.Join(damaged...)
}

func verifyBackup(cfg *config.Config, from, scratch string, stdout, stderr io.Writer) error {
	ctx := context.Background()
	v, err := openBackup(ctx, cfg, from)
	if err != nil {
		return err
	}
	names, err := backup.Manifests(ctx, v)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return fmt.Errorf("%w in %s", backup.ErrNoSnapshot, v)
	}
	var bad []error
	var manifests []*backup.Manifest
	for _, name := range names {
		if m, err := backup.ReadManifest(ctx, v, name); err != nil {
			bad = append(bad, err)
		} else {
			manifests = append(manifests, m)
		}
	}
	progress, clear := bytesProgress(stderr)
	bad = append(bad, backup.VerifyObjects(ctx, v, manifests, progress))
	clear()
	logs, err := backup.VerifyLog(ctx, v)
	if err := errors.Join(append(bad, err)...); err != nil {
		return err
	}
	m := manifests[len(manifests)-1]
	fmt.Fprintf(stdout, "%s: all objects of %s and %s of the log are there and unchanged. The newest snapshot has %s.\n", v, plural(uint64(len(manifests)), "snapshot"), plural(uint64(logs), "object"), humanize.IBytesN(uint64(m.Bytes()), 3))
	if scratch == "" {
		return nil
	}
	if _, err := os.Lstat(scratch); err == nil {
		return fmt.Errorf("%s already exists", scratch)
	}
	defer os.RemoveAll(scratch)
	if _, err := backup.Restore(ctx, v, backup.RestoreOptions{Dir: scratch, At: m.Created, Room: roomBeyond(cfg)}); err != nil {
		return err
	}
	report, err := check.With(ctx, check.Options{Dir: scratch})
	if err != nil {
		return err
	}
	for _, p := range report.Problems {
		fmt.Fprintln(stdout, p)
	}
	if n := len(report.Problems); n > 0 {
		return fmt.Errorf("the restored store has problems: %d were found", n)
	}
	fmt.Fprintf(stdout, "It restores to a store of %s, and a recount of all of them finds no difference.\n", plural(report.Events, "event"))
	return nil
}

// bytesProgress shows a terminal how many bytes are done.
func bytesProgress(w io.Writer) (show func(done, of int64), clear func()) {
	if !bench.IsTerminal(w) {
		return nil, func() {}
	}
	var last time.Time
	return func(done, of int64) {
			if time.Since(last) > 200*time.Millisecond {
				last = time.Now()
				fmt.Fprintf(w, "\r\033[K%s of %s", humanize.IBytes(uint64(done)), humanize.IBytes(uint64(of)))
			}
		}, func() {
			fmt.Fprint(w, "\r\033[K")
		}
}

// timeLayouts are how a time after @ may be written. Without a zone it is UTC.
var timeLayouts = []string{time.RFC3339, "2006-01-02T15:04:05.000Z", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", "20060102T150405.000Z"}

// cutTime splits "PLACE@TIME".
func cutTime(from string) (place string, at time.Time, err error) {
	i := strings.LastIndexByte(from, '@')
	if i < 0 || strings.ContainsRune(from[i:], filepath.Separator) {
		return from, at, nil
	}
	for _, layout := range timeLayouts {
		if at, err := time.Parse(layout, from[i+1:]); err == nil {
			return from[:i], at, nil
		}
	}
	if dirExists(from) {
		return from, at, nil
	}
	return "", at, fmt.Errorf("%q is not a time; use for example 2026-11-30T14:05Z", from[i+1:])
}

// isBucket says whether a place has backups: a bucket, or a directory with snap/. One whose server died
// before its first snapshot has its key or its lease.
func isBucket(place string) bool {
	exists := func(name string) bool {
		_, err := os.Stat(filepath.Join(place, name))
		return err == nil
	}
	return strings.HasPrefix(place, "s3://") || dirExists(filepath.Join(place, "snap")) || exists(backup.KeyName) || exists(backup.LeaseName)
}

// restoreBucket is "cairn restore" from a backup.
func restoreBucket(cf config.Flags, place string, at time.Time, to string, stdout, stderr io.Writer) error {
	cfg, _, err := config.Load(cf, os.Environ())
	if err != nil {
		return err
	}
	ctx := context.Background()
	v, err := openBackup(ctx, &cfg, place)
	if err != nil {
		return err
	}
	progress, clear := bytesProgress(stderr)
	r, err := backup.Restore(ctx, v, backup.RestoreOptions{Dir: to, At: at, Replay: backup.ReplayLog, Deletions: backup.CopiesOf, Room: roomBeyond(&cfg), Progress: progress})
	clear()
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s is restored from the snapshot of %s in %s: %s.\n", to, r.Manifest.Created.Format(time.RFC3339), v, plural(r.Manifest.Events, "event"))
	if n := r.Replayed.Events; n > 0 {
		fmt.Fprintf(stdout, "The log of the backup has %s after it, up to %s.\n", plural(n, "event"), r.Replayed.Until.Format(time.RFC3339))
	}
	if r.Replayed.Why != "" {
		fmt.Fprintf(stdout, "It goes no further: %s.\n", r.Replayed.Why)
	}
	if r.Applied.Deletions > 0 {
		fmt.Fprintf(stdout, "%s, made after the snapshot, hide %s again.\n", plural(uint64(r.Applied.Deletions), "deletion"), plural(r.Applied.Rows, "event"))
	}
	return nil
}
