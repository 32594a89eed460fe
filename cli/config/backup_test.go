package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cairn/engine/backup"
)

// load loads the text of a configuration file, and validates it.
func loadText(t *testing.T, text string, environ ...string) (Config, []string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cairn.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, warnings, err := Load(Flags{File: file}, environ)
	if err == nil {
		err = cfg.Validate()
	}
	return cfg, warnings, err
}

func TestBackupSettings(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("  a long enough secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, warnings, err := loadText(t, `[backup]
to = "s3://bucket/shop"
every = "2h"
keep = {hourly = 3, weekly = 0}
rate = "1MiB"
passphrase_file = "`+secret+`"
access_key = "key"
`, "CAIRN_BACKUP_ACCESS_SECRET_FILE="+secret, "CAIRN_BACKUP_KEEP_DAILY=5", "CAIRN_BACKUP_VERIFY_MAX=1GiB")
	if err != nil {
		t.Fatal(err)
	}
	want := backup.Settings{Every: 2 * time.Hour, Keep: backup.Keep{Hourly: 3, Daily: 5}, LogEvery: 10 * time.Second, LogKeep: 72 * time.Hour,
		Rate: 1 << 20, VerifyEvery: 24 * time.Hour, VerifyMax: 1 << 30, Passphrase: "a long enough secret"}
	if got := cfg.Backup.Settings(); got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if cfg.Backup.AccessSecret != "a long enough secret" || len(warnings) > 0 {
		t.Errorf("%q, warnings %q", cfg.Backup.AccessSecret, warnings)
	}
}

func TestBackupErrors(t *testing.T) {
	for text, want := range map[string]string{
		`to = "gs://bucket"`:                                     `to = "gs://bucket"`,
		"to = \"/mnt\"\nevery = \"1s\"":                          "every must be",
		"to = \"/mnt\"\nlog_keep = \"1m\"":                       "log_keep must be",
		"to = \"/mnt\"\ncredentials = \"anything\"":              `may only be "role"`,
		"to = \"/mnt\"\nkeep = {hourly=0,daily=0,weekly=0}":      "keep would keep no snapshot",
		"to = \"/mnt\"\naccess_key=\"a\"\naccess_key_file=\"b\"": "both access_key and access_key_file",
		"to = \"/mnt\"\npassphrase_file=\"/nowhere/at/all\"":     "passphrase_file: open /nowhere/at/all",
		"to = \"/mnt\"\nevry = \"1h\"":                           `did you mean "every"`,
	} {
		if _, _, err := loadText(t, "[backup]\n"+text+"\n"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, _, err := loadText(t, "[backup]\nevery = \"1s\"\n"); err != nil {
		t.Errorf("without a place: %v", err) // there is no backup
	}
}

func TestBackupWarnings(t *testing.T) {
	_, warnings, err := loadText(t, "[backup]\nto = \"s3://bucket\"\nendpoint = \"http://host:9000\"\n")
	if text := strings.Join(warnings, "\n"); err != nil || !strings.Contains(text, "plain http") || !strings.Contains(text, "no passphrase_file") {
		t.Errorf("%q, %v", warnings, err)
	}
	if _, warnings, err := loadText(t, "[backup]\nto = \"/mnt/backup\"\n"); err != nil || len(warnings) > 0 {
		t.Errorf("a directory: %q, %v", warnings, err)
	}
}
