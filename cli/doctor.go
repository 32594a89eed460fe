package cli

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/cli/config"
	"cairn/engine/store"

	"github.com/dustin/go-humanize"
)

// This file is "cairn doctor": it looks at everything that an operator should look at now and then.
// It asks the running server, or looks into the data directory of a stopped one. It changes nothing.

const doctorAbout = `Look for what needs a hand: the server, its disk, clock, memory, certificate, backups. Each line
is ok, a warning, or a problem with what to do. The exit code is 1 if there is a problem.

It asks the running server. If that is stopped, it looks into the data directory, and changes
nothing there.`

// Bounds between ok, warning and problem.
const (
	daysLeftWarn, daysLeftProblem = 30, 7                                         // of disk space
	syncWarn, syncProblem         = 20 * time.Millisecond, 200 * time.Millisecond // of one fsync
	clockSlack                    = time.Minute                                   // that an event may be ahead of the clock
	geoAgeWarn                    = 60 * 24 * time.Hour
	certWarn, certProblem         = 21 * 24 * time.Hour, 7 * 24 * time.Hour // until it ends
	backupWarn, backupProblem     = 26 * time.Hour, 72 * time.Hour          // since the last one
	verifyWarn                    = 8 * 24 * time.Hour
	connsWarn                     = 256
)

// grade is how good something is.
type grade int

const (
	good grade = iota
	warning
	problem
)

func (g grade) String() string { return [...]string{"ok", "warning", "problem"}[g] }

// doctorRun is one look.
type doctorRun struct {
	cfg     *config.Config
	w       io.Writer
	now     time.Time
	running bool
	server  *server
	samples map[string]float64 // of /metrics, by name with labels
	worst   grade
}

func doctor(args []string, stdout, stderr io.Writer) int {
	f := newFlags("doctor", "[flags]", doctorAbout)
	var cf config.Flags
	cf.Register(f.FlagSet)
	if code, done := f.parse(args, 0, 0, stdout, stderr); done {
		return code
	}
	d := &doctorRun{w: stdout, now: time.Now()}
	cfg, warnings, err := config.Load(cf, os.Environ())
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil {
		d.say(problem, "config", "%v. \"cairn config check\" prints all mistakes", err)
		return ExitFailed
	}
	d.cfg = &cfg
	if warnings = append(warnings, cfg.ShortSecrets()...); len(warnings) > 0 {
		d.say(warning, "config", "%s", strings.Join(warnings, "; "))
	} else {
		d.say(good, "config", "is good")
	}
	d.directory()
	d.machine()
	d.running = served(&cfg)
	s, end, err := reachStored(&cfg, "", "")
	if err != nil {
		d.say(problem, "store", "%v", err)
		return ExitFailed
	}
	defer end()
	d.server = s
	if err := d.metrics(); err != nil {
		d.say(problem, "server", "%v", err)
		return ExitFailed
	}
	d.health()
	d.certificates()
	d.store()
	d.sync()
	d.sites()
	d.geo()
	d.backup()
	if d.worst == problem {
		return ExitFailed
	}
	return ExitOK
}

// say prints a line.
func (d *doctorRun) say(g grade, what, format string, args ...any) {
	d.worst = max(d.worst, g)
	fmt.Fprintf(d.w, "%-8s %-11s %s\n", g, what, fmt.Sprintf(format, args...))
}

// metrics reads /metrics.
func (d *doctorRun) metrics() error {
	text, err := d.server.text("/metrics")
	if err != nil {
		return err
	}
	d.samples = map[string]float64{}
	for line := range strings.Lines(text) {
		name, value, ok := cutLast(strings.TrimSpace(line), " ")
		if x, err := strconv.ParseFloat(value, 64); ok && err == nil && !strings.HasPrefix(line, "#") {
			d.samples[name] = x
		}
	}
	return nil
}

// cutLast cuts s around the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	at := strings.LastIndex(s, sep)
	if at < 0 {
		return s, "", false
	}
	return s[:at], s[at+len(sep):], true
}

// health says what the server itself complains of.
func (d *doctorRun) health() {
	var answer struct{ Reasons []string }
	err := d.server.ask("GET", "/healthz", &answer)
	switch {
	case err != nil:
		d.say(problem, "server", "%v", err)
	case len(answer.Reasons) > 0:
		d.say(problem, "server", "%s", strings.Join(answer.Reasons, "; "))
	case d.running:
		d.say(good, "server", "runs since %s and is healthy", d.unix("process_start_time_seconds").Format("2006-01-02 15:04"))
	default:
		d.say(good, "server", "does not run; this is what its data directory tells")
	}
}

func (d *doctorRun) unix(name string) time.Time { return time.Unix(int64(d.samples[name]), 0) }

// store says how the store is, and what waits in it.
func (d *doctorRun) store() {
	if n := d.samples["cairn_corruptions_total"]; n > 0 {
		d.say(problem, "store", "damaged data was found; run \"cairn check\", and see \"When data is damaged\" in docs/server.md")
	} else {
		text := fmt.Sprintf("format %.0f, %s", d.samples["cairn_store_version"], plural(uint64(d.samples["cairn_runs"]), "run"))
		if version := d.samples["cairn_store_version"]; version > 0 && version < store.Version {
			text += fmt.Sprintf("; the next start makes a snapshot and raises the format to %d", store.Version)
		}
		d.say(good, "store", "%s", text)
	}
	hidden := uint64(d.samples["cairn_hidden_events"])
	switch {
	case hidden == 0:
		d.say(good, "deletions", "no deleted events wait to be purged")
	case d.running:
		d.say(good, "deletions", "%s wait to be purged within %v", plural(hidden, "deleted event"), time.Duration(d.cfg.Purge))
	default:
		d.say(warning, "deletions", "%s wait to be purged; start the server, which does that", plural(hidden, "deleted event"))
	}
	free, reserve := d.samples["cairn_disk_free_bytes"], d.samples["cairn_disk_reserve_bytes"]
	if free <= reserve {
		d.say(problem, "disk", "%s are free, which is the reserve: writes are refused. Make room, or move the data directory", humanize.IBytes(uint64(free)))
	}
}

// sync says how long the disk takes to make something durable.
func (d *doctorRun) sync() {
	took, how := time.Duration(0), "of the server's commits"
	if n := d.samples["cairn_sync_seconds_count"]; n > 0 {
		took = time.Duration(d.samples["cairn_sync_seconds_sum"] / n * float64(time.Second))
	} else {
		var err error
		if took, err = syncLatency(d.cfg.DataDir); err != nil {
			d.say(good, "fsync", "not measured: %v", err)
			return
		}
		how = "measured now"
	}
	text := fmt.Sprintf("%v on average, %s", took.Round(10*time.Microsecond), how)
	switch {
	case took > syncProblem:
		d.say(problem, "fsync", "%s. Each write waits for that: use a local disk that is not overloaded", text)
	case took > syncWarn:
		d.say(warning, "fsync", "%s. Each write waits for that", text)
	default:
		d.say(good, "fsync", "%s", text)
	}
}

// sites asks what came in: for the rate at which the disk fills, and for the clock.
func (d *doctorRun) sites() {
	var all struct {
		Sites []struct {
			Name   string
			Events uint64
		}
	}
	if err := d.server.ask("GET", "/api/v1/sites", &all); err != nil {
		d.say(warning, "sites", "%v", err)
		return
	}
	var events, week uint64
	var newest time.Time
	for _, s := range all.Sites {
		events += s.Events
		var count struct{ Events uint64 }
		var last struct {
			Events []struct{ Received time.Time }
		}
		site := url.QueryEscape(s.Name)
		if d.server.ask("GET", "/api/v1/count?metrics=events&range=7d&site="+site, &count) == nil {
			week += count.Events
		}
		if d.server.ask("GET", "/api/v1/events?limit=1&order=desc&site="+site, &last) == nil && len(last.Events) > 0 && last.Events[0].Received.After(newest) {
			newest = last.Events[0].Received
		}
	}
	switch ahead := newest.Sub(d.now); {
	case newest.IsZero():
		d.say(good, "clock", "there are no events to compare with")
	case ahead > clockSlack:
		d.say(problem, "clock", "the newest event was received at %s, %v ahead of this machine's clock: set the clock", newest.Format(time.RFC3339), ahead.Round(time.Second))
	default:
		d.say(good, "clock", "the newest event was received at %s", newest.UTC().Format(time.RFC3339))
	}
	d.room(events, week)
}

// daysShown is the largest number of days that is shown as such.
const daysShown = 3650

// room says how long the disk will do, if events come in as in the last seven days.
func (d *doctorRun) room(events, week uint64) {
	free, reserve := d.samples["cairn_disk_free_bytes"], d.samples["cairn_disk_reserve_bytes"]
	if free <= reserve {
		return // said already
	}
	text := humanize.IBytes(uint64(free)) + " free"
	size := sizeOf(filepath.Join(d.cfg.DataDir, store.Name))
	if events == 0 || week == 0 || size == 0 {
		d.say(good, "disk", "%s", text)
		return
	}
	left := (free - reserve) / (float64(size) / float64(events) * float64(week) / 7)
	if left > daysShown {
		text += ", enough for more than ten years at the rate of the last seven days"
	} else {
		text += fmt.Sprintf(", about %s days at the rate of the last seven", humanize.Comma(int64(left)))
	}
	switch {
	case left < daysLeftProblem:
		d.say(problem, "disk", "%s. Make room, move the data directory, or set retention_days", text)
	case left < daysLeftWarn:
		d.say(warning, "disk", "%s", text)
	default:
		d.say(good, "disk", "%s", text)
	}
}

// sizeOf is how many bytes the files in a directory have.
func sizeOf(dir string) (bytes int64) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			bytes += info.Size()
		}
	}
	return bytes
}

// certificates says when each ends, and which are missing. A running server knows that; else the
// files do.
func (d *doctorRun) certificates() {
	if d.cfg.TLSCert != "" { // the server keeps the one before while the files do not fit together
		if _, err := tls.LoadX509KeyPair(d.cfg.TLSCert, d.cfg.TLSKey); err != nil {
			d.say(problem, "certificate", "tls_cert, tls_key: %v", err)
		}
	}
	const metric = `cairn_certificate_end_timestamp_seconds{host="`
	var missing float64
	ends := map[string]time.Time{}
	if d.running {
		for name, value := range d.samples {
			if host, ok := strings.CutPrefix(name, metric); ok {
				ends[strings.TrimSuffix(host, `"}`)] = time.Unix(int64(value), 0)
			}
		}
		missing = d.samples["cairn_certificates_missing"]
	} else if certs, err := lookCertificates(d.cfg, slog.New(slog.DiscardHandler)); err == nil {
		defer certs.Close()
		for _, t := range certs.Terms() {
			ends[t.Host] = t.Until
		}
		missing = float64(len(certs.Missing()))
	} else if d.cfg.TLSCert == "" { // else it was said
		d.say(problem, "certificate", "%v", err)
	}
	if missing > 0 {
		d.say(problem, "certificate", "%s of acme_hosts without one: clients there are refused. The log says why it cannot be fetched", plural(uint64(missing), "host"))
	}
	for _, host := range slices.Sorted(maps.Keys(ends)) {
		d.certificate(host, ends[host])
	}
}

// certificate says when one ends.
func (d *doctorRun) certificate(host string, ends time.Time) {
	text := fmt.Sprintf("of %s ends %s UTC", host, ends.UTC().Format("2006-01-02 15:04"))
	switch left := ends.Sub(d.now); {
	case left < 0:
		d.say(problem, "certificate", "%s: browsers refuse it. Renew it; the server reads the files again by itself", text)
	case left < certProblem:
		d.say(problem, "certificate", "%s. Renew it; the server reads the files again by itself", text)
	case left < certWarn:
		d.say(warning, "certificate", "%s", text)
	default:
		d.say(good, "certificate", "%s", text)
	}
}

// geo says how old the databases are.
func (d *doctorRun) geo() {
	for _, file := range geoFiles(d.cfg) {
		label := fmt.Sprintf("{file=%q}", file)
		up, known := d.samples["cairn_geo_database_up"+label]
		built := d.unix("cairn_geo_database_built_seconds" + label)
		if !known { // the server does not run
			info, err := os.Stat(file)
			if err != nil {
				d.say(problem, "geo", "%v; set geo.database, or fetch the file", err)
				continue
			}
			up, built = 1, info.ModTime()
		}
		age := d.now.Sub(built)
		text := fmt.Sprintf("%s is of %s", file, built.UTC().Format("2006-01-02"))
		switch {
		case up == 0:
			d.say(problem, "geo", "%s cannot be used in its current version; the log says why", file)
		case age > geoAgeWarn:
			d.say(warning, "geo", "%s; fetch a new version", text)
		default:
			d.say(good, "geo", "%s", text)
		}
	}
}

// backup says how old the backup is, and its verification.
func (d *doctorRun) backup() {
	if _, known := d.samples["cairn_backup_last_success_timestamp_seconds"]; !known {
		if newest := newestSnapshot(d.cfg); !newest.IsZero() {
			d.say(warning, "backup", "the newest snapshot is of %s; keep copies on another machine", newest.UTC().Format("2006-01-02 15:04"))
		} else {
			d.say(warning, "backup", "there is none; \"cairn snapshot\" makes a copy to keep on another machine")
		}
		return
	}
	made, verified := d.unix("cairn_backup_last_success_timestamp_seconds"), d.unix("cairn_backup_last_verified_timestamp_seconds")
	age := d.now.Sub(made)
	text := "the newest is of " + made.UTC().Format("2006-01-02 15:04")
	switch {
	case made.Unix() == 0:
		d.say(problem, "backup", "none has succeeded yet; the log says why")
	case age > backupProblem:
		d.say(problem, "backup", "%s; the log says why", text)
	case age > backupWarn:
		d.say(warning, "backup", "%s", text)
	default:
		d.say(good, "backup", "%s", text)
	}
	switch {
	case verified.Unix() == 0:
		d.say(warning, "verified", "no backup was verified yet; the server does it once a day, \"cairn backup verify\" at once")
	case d.now.Sub(verified) > verifyWarn:
		d.say(warning, "verified", "the backup was not verified for %d days; \"cairn backup verify\" does it", int(verifyWarn.Hours()/24))
	default:
		d.say(good, "verified", "the backup was verified at %s", verified.UTC().Format("2006-01-02 15:04"))
	}
}

// newestSnapshot is when the newest snapshot was made; zero = there is none.
func newestSnapshot(cfg *config.Config) (newest time.Time) {
	dir, err := snapshotDir(cfg)
	if err != nil {
		return newest
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if info, err := os.Stat(filepath.Join(dir, e.Name(), store.ManifestName)); err == nil && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	return newest
}

// text asks the server for a page of text.
func (s *server) text(path string) (string, error) {
	req, err := s.newRequest(path)
	if err != nil {
		return "", err
	}
	res, err := s.client.Do(req)
	if err != nil {
		return "", fmt.Errorf("cannot reach the server: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err == nil && res.StatusCode != 200 {
		err = errors.New("the server answered " + res.Status)
	}
	return string(body), err
}
