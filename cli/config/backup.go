package config

import (
	"fmt"
	"strings"
	"time"

	"cairn/engine/backup"
	"cairn/http/dialect"
)

// This file has the keys of [backup].

// Backup is where and how the store is backed up.
type Backup struct {
	To             string           `toml:"to"` // "s3://bucket/prefix" or a directory; "" = no backup
	Every          dialect.Duration `toml:"every"`
	Keep           Keep             `toml:"keep"`
	LogEvery       dialect.Duration `toml:"log_every"`
	LogKeep        dialect.Duration `toml:"log_keep"`
	Rate           dialect.Size     `toml:"rate"` // bytes a second; 0 = no limit
	VerifyEvery    dialect.Duration `toml:"verify_every"`
	VerifyMax      dialect.Size     `toml:"verify_max"`
	PassphraseFile string           `toml:"passphrase_file"`

	Endpoint         string `toml:"endpoint"`
	Region           string `toml:"region"`
	PathStyle        bool   `toml:"path_style"`
	CA               string `toml:"ca"`
	AccessKey        string `toml:"access_key"`
	AccessKeyFile    string `toml:"access_key_file"`
	AccessSecret     string `toml:"access_secret"`
	AccessSecretFile string `toml:"access_secret_file"`
	Credentials      string `toml:"credentials"` // "" or "role"

	passphrase string
}

// Keep is how many snapshots stay.
type Keep struct {
	Hourly int `toml:"hourly"`
	Daily  int `toml:"daily"`
	Weekly int `toml:"weekly"`
}

func defaultBackup() Backup {
	d := backup.Defaults()
	return Backup{Every: dialect.Duration(d.Every), Keep: Keep(d.Keep), LogEvery: dialect.Duration(d.LogEvery), LogKeep: dialect.Duration(d.LogKeep),
		VerifyEvery: dialect.Duration(d.VerifyEvery), VerifyMax: dialect.Size(d.VerifyMax)}
}

// Settings are the settings of the backup itself.
func (b *Backup) Settings() backup.Settings {
	return backup.Settings{Every: time.Duration(b.Every), Keep: backup.Keep(b.Keep), LogEvery: time.Duration(b.LogEvery), LogKeep: time.Duration(b.LogKeep),
		Rate: int64(b.Rate), VerifyEvery: time.Duration(b.VerifyEvery), VerifyMax: int64(b.VerifyMax), Passphrase: b.passphrase}
}

// IsS3 says that the backup goes to a bucket and not to a directory.
func (b *Backup) IsS3() bool { return strings.HasPrefix(b.To, "s3://") }

// readSecrets reads the files that the table names.
func (b *Backup) readSecrets() error {
	if err := readSecret(&b.AccessKey, b.AccessKeyFile, "access_key"); err != nil {
		return err
	}
	if err := readSecret(&b.AccessSecret, b.AccessSecretFile, "access_secret"); err != nil {
		return err
	}
	return readSecret(&b.passphrase, b.PassphraseFile, "passphrase")
}

// warnings are for the operator's log.
func (b *Backup) warnings() (list []string) {
	if b.To == "" {
		return nil
	}
	if strings.HasPrefix(b.Endpoint, "http://") && b.IsS3() {
		list = append(list, "backup: the endpoint is plain http: everybody on the way can read the backup, which has the keys of the sites; use https")
	}
	if b.passphrase == "" && b.IsS3() {
		list = append(list, "backup: there is no passphrase_file: whoever can read the bucket can read all events and the keys of the sites")
	}
	return list
}

// validate returns what is wrong with the table. The error names the key.
func (b *Backup) validate() error {
	if b.To == "" {
		return nil
	}
	if scheme, _, ok := strings.Cut(b.To, "://"); ok && scheme != "s3" {
		return fmt.Errorf(`backup: to = %q is neither a bucket nor a directory; use for example "s3://bucket/prefix" or "/mnt/backup"`, b.To)
	}
	if b.Credentials != "" && b.Credentials != "role" {
		return fmt.Errorf(`backup: credentials = %q; it may only be "role", or left out`, b.Credentials)
	}
	s := b.Settings()
	if err := s.Validate(); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}
