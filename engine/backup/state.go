package backup

import (
	"errors"
	"time"
)

// This file tells how the backup is: metrics, reasons for /healthz, and the answer to who asks.

// state is what the loop tells others. Backup.mu guards it.
type state struct {
	kept         []*Manifest // oldest first
	leaseErr     error       // why the lease is not held
	held         bool
	err          error // of the newest session; nil = a snapshot has been stored since
	inARow       int   // sessions that failed since the last snapshot
	failures     uint64
	made         Made // the newest snapshot of this process
	snapshots    uint64
	sent         int64  // bytes of objects
	useless      int    // snapshots in the bucket that cannot be restored
	acknowledged uint64 // events when the newest snapshot of this process began
	share        float64
	verifiedAt   time.Time // the newest verification
	verifyErr    error     // of it
	shipErr      error
	shipper      Shipper
}

func (b *Backup) with(change func(s *state)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.state)
}

func (b *Backup) read() state {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state
}

func (b *Backup) setKept(kept []*Manifest) { b.with(func(s *state) { s.kept = kept }) }
func (b *Backup) setUseless(names map[string]bool) {
	b.useless = names
	b.with(func(s *state) { s.useless = len(names) })
}
func (b *Backup) setLease(err error)     { b.with(func(s *state) { s.leaseErr, s.held = err, err == nil }) }
func (b *Backup) setShare(share float64) { b.with(func(s *state) { s.share = share }) }
func (b *Backup) addSent(bytes int64)    { b.with(func(s *state) { s.sent += bytes }) }
func (b *Backup) shipped(err error)      { b.with(func(s *state) { s.shipErr = err }) }

func (b *Backup) succeeded(made Made, acknowledged uint64) {
	b.with(func(s *state) {
		s.made, s.acknowledged, s.err, s.inARow = made, acknowledged, nil, 0
		s.snapshots++
	})
}

// verifiedAt notes a verification. One that failed is no proof, so its time is not told.
func (b *Backup) verifiedAt(at time.Time, err error) {
	b.with(func(s *state) {
		if s.verifyErr = err; err == nil {
			s.verifiedAt = at
		}
	})
}

// lastSuccess is when the newest snapshot in the bucket was made.
func (b *Backup) lastSuccess() time.Time {
	s := b.read()
	return s.newest()
}

func (s *state) newest() (at time.Time) {
	if n := len(s.kept); n > 0 {
		at = s.kept[n-1].Created
	}
	if m := s.made.Manifest; m != nil && m.Created.After(at) {
		at = m.Created
	}
	return at
}

// lag is how many seconds of what was acknowledged would be lost with the machine.
func (b *Backup) lag(s *state) float64 {
	from := s.newest()
	if s.shipper != nil {
		if at := s.shipper.Shipped(); at.After(from) {
			from = at
		}
	} else if s.made.Manifest != nil && b.store.Acknowledged() == s.acknowledged {
		return 0
	}
	if from.IsZero() {
		return 0 // there is no backup, which another metric tells
	}
	return max(b.now().Sub(from).Seconds(), 0)
}

// Metrics puts the metrics of the backup.
func (b *Backup) Metrics(put func(name, kind, help string, value float64, labels ...string)) {
	s := b.read()
	unix := func(t time.Time) float64 {
		if t.IsZero() {
			return 0
		}
		return float64(t.UnixMilli()) / 1000
	}
	flag := 0.0
	if s.held {
		flag = 1
	}
	put("cairn_backup_last_success_timestamp_seconds", "gauge", "When the newest snapshot in the backup was made; 0 = there is none.", unix(s.newest()))
	put("cairn_backup_last_verified_timestamp_seconds", "gauge", "When the backup last passed its verification; 0 = not yet.", unix(s.verifiedAt))
	put("cairn_backup_verified_share", "gauge", "Share of the bytes of the newest snapshot that were read back and compared, from 0 to 1.", s.share)
	put("cairn_backup_lag_seconds", "gauge", "Age of the oldest acknowledged event that may be missing in the backup.", b.lag(&s))
	put("cairn_backup_leased", "gauge", "1 while this server is the one that backs up to its place.", flag)
	put("cairn_backup_snapshots", "gauge", "Snapshots in the backup.", float64(len(s.kept)))
	put("cairn_backup_snapshots_total", "counter", "Snapshots that were backed up.", float64(s.snapshots))
	put("cairn_backup_failures_total", "counter", "Attempts to back up that failed.", float64(s.failures))
	put("cairn_backup_sent_bytes_total", "counter", "Bytes of snapshots that were sent to the backup.", float64(s.sent))
	put("cairn_backup_last_seconds", "gauge", "How long the newest snapshot took.", s.made.Seconds)
	if s.shipper != nil {
		s.shipper.Metrics(put)
	}
}

// failuresMost is how many failures in a row are no trouble yet.
const failuresMost = 2

// Troubles are reasons for /healthz, which anybody may read: they name no place.
func (b *Backup) Troubles() (reasons []string) {
	s := b.read()
	var lease *LeaseError
	switch newest := s.newest(); {
	case errors.As(s.leaseErr, &lease) && lease.Lost:
		reasons = append(reasons, "another server has taken over the backup; this one no longer backs up")
	case errors.As(s.leaseErr, &lease):
		reasons = append(reasons, "another server backs up to the same place; this one does not back up")
	case errors.Is(s.err, ErrPassphrase), errors.Is(s.err, ErrNoPassphrase):
		reasons = append(reasons, "the passphrase of the backup is wrong; nothing is backed up")
	case s.inARow > failuresMost:
		reasons = append(reasons, "the backup fails; see the log")
	case !newest.IsZero() && b.now().Sub(newest) > 2*b.Every+time.Hour:
		reasons = append(reasons, "the newest backup is old; see the log")
	}
	if s.useless > 0 {
		reasons = append(reasons, "a snapshot in the backup is damaged; see the log")
	}
	if s.verifyErr != nil {
		reasons = append(reasons, "the newest backup failed its verification; see the log")
	}
	if s.shipper != nil {
		reasons = append(reasons, s.shipper.Troubles()...)
	}
	return reasons
}

// Status is the answer to who asks for the backups.
type Status struct {
	To           string     `json:"to"`
	Encrypted    bool       `json:"encrypted"`
	Leased       bool       `json:"leased"` // this server backs up
	Error        string     `json:"error,omitempty"`
	LastVerified *time.Time `json:"last_verified"`
	Share        float64    `json:"verified_share"`
	Lag          float64    `json:"lag_seconds"`
	Snapshots    []Snapshot `json:"snapshots"` // oldest first
}

// Snapshot is a snapshot in a bucket, for people.
type Snapshot struct {
	Time        time.Time `json:"time"` // for @TIME
	Name        string    `json:"name"`
	Events      uint64    `json:"events"`
	Bytes       int64     `json:"bytes"`
	Incarnation string    `json:"incarnation"`
}

// Describe is the snapshot of a manifest.
func (m *Manifest) Describe() Snapshot {
	return Snapshot{m.Created, m.Name, m.Events, m.Bytes(), m.Incarnation}
}

// Status tells how the backup is.
func (b *Backup) Status() Status {
	s := b.read()
	status := Status{To: b.Bucket.String(), Encrypted: b.Passphrase != "", Leased: s.held, Share: s.share, Lag: b.lag(&s), Snapshots: []Snapshot{}}
	if err := errors.Join(s.err, s.verifyErr, s.shipErr); err != nil {
		status.Error = err.Error()
	}
	if !s.verifiedAt.IsZero() {
		status.LastVerified = &s.verifiedAt
	}
	for _, m := range s.kept {
		status.Snapshots = append(status.Snapshots, m.Describe())
	}
	return status
}
