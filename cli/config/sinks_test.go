package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// secretFile makes a file with a password.
func secretFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("a long enough password\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestSinkSettings(t *testing.T) {
	file := secretFile(t)
	cfg, warnings, err := loadText(t, `[sink.clickhouse]
url = "https://ch.example:8443"
database = "shop"
user = "cairn"
password_file = "`+file+`"
create = true
store = 12
from = "now"
on_bad_row = "skip"

[sink.kafka]
topic = "rows"
hold = "1d"
lag_warn = "1m"
store = "18446744073709551615"
`, "CAIRN_SINK_KAFKA_BROKERS=127.0.0.1:9092, [::1]:9093", "CAIRN_SINK_KAFKA_SASL=plain", "CAIRN_SINK_KAFKA_USER=cairn", "CAIRN_SINK_KAFKA_PASSWORD_FILE="+file, "CAIRN_SINK_CLICKHOUSE_TABLE=rows", "CAIRN_SINK_CLICKHOUSE_HOLD=2h")
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	c, k := cfg.Sink.ClickHouse, cfg.Sink.Kafka
	if !c.On() || c.Database != "shop" || c.Table != "rows" || c.User != "cairn" || c.Password() != "a long enough password" || !c.Create {
		t.Errorf("%+v", c)
	}
	if got := c.Carry(nil); got.StoreNum != 12 || !got.FromNow || !got.SkipBad || got.Hold != 2*time.Hour || got.LagWarn != 10*time.Minute {
		t.Errorf("%+v", got)
	}
	o := k.Options()
	if !k.On() || strings.Join(o.Brokers, " ") != "127.0.0.1:9092 [::1]:9093" || o.Topic != "rows" || o.SASL != "plain" || o.User != "cairn" || o.Password != "a long enough password" || o.Compression != "zstd" {
		t.Errorf("%+v", o)
	}
	if got := k.Carry(nil); got.StoreNum != 1<<64-1 || got.FromNow || got.SkipBad || got.Hold != 24*time.Hour || got.LagWarn != time.Minute {
		t.Errorf("%+v", got)
	}
	if cfg, _, err := loadText(t, ""); err != nil || cfg.Sink.ClickHouse.On() || cfg.Sink.Kafka.On() {
		t.Errorf("a sink without a configuration: %v", err)
	}
}

func TestSinkErrors(t *testing.T) {
	for text, want := range map[string]string{
		"[sink.clickhouse]\nurl = \"ch:8123\"":                                          `sink.clickhouse: url = "ch:8123"`,
		"[sink.clickhouse]\nurl = \"http://u:hidden@ch/?x\"":                            `sink.clickhouse: url = "…@ch/?x"`,
		"[sink.clickhouse]\nurl = \"http://u:hidden@ch\"":                               "sink.clickhouse: url has a user",
		"[sink.clickhouse]\nurl = \"http://ch\"\ndatabase = \"a-b\"":                    `sink.clickhouse: database = "a-b"`,
		"[sink.clickhouse]\nurl = \"http://ch\"\ntable = \"a;b\"":                       `sink.clickhouse: table = "a;b"`,
		"[sink.clickhouse]\nurl = \"http://ch\"\nca = \"x\"":                            "sink.clickhouse: ca needs",
		"[sink.clickhouse]\nurl = \"http://ch\"\nfrom = \"end\"":                        `sink.clickhouse: from = "end"`,
		"[sink.clickhouse]\nurl = \"http://ch\"\nhold = \"1s\"":                         `sink.clickhouse: hold = "1s"`,
		"[sink.clickhouse]\nurl = \"http://ch\"\nhold = \"366d\"":                       `sink.clickhouse: hold = `,
		"[sink.clickhouse]\nurl = \"http://ch\"\nlag_warn = \"1s\"":                     `sink.clickhouse: lag_warn = "1s"`,
		"[sink.clickhouse]\nurl = \"http://ch\"\non_bad_row = \"x\"":                    `sink.clickhouse: on_bad_row = "x"`,
		"[sink.clickhouse]\nurl = \"http://ch\"\nstore = -1":                            `"-1" is not a whole number from 0 to 18446744073709551615`,
		"[sink.clickhouse]\nurl = \"http://ch\"\nurll = 1":                              `did you mean "url"`,
		"[sink.clickhouse]\nbrokers = []":                                               "unknown key",
		"[sink.postgres]\nurl = \"x\"":                                                  "unknown key",
		"[sink.kafka]\nbrokers = [\"kafka\"]":                                           `sink.kafka: brokers has "kafka"`,
		"[sink.kafka]\nbrokers = [\"kafka:9092\"]\ntopic = \"a b\"":                     `sink.kafka: topic = "a b"`,
		"[sink.kafka]\nbrokers = [\"kafka:9092\"]\nsasl = \"gssapi\"":                   `sink.kafka: sasl = "gssapi"`,
		"[sink.kafka]\nbrokers = [\"kafka:9092\"]\nsasl = \"plain\"":                    "sink.kafka: sasl needs user",
		"[sink.kafka]\nbrokers = [\"kafka:9092\"]\ncompression = \"lz4\"":               "sink.kafka: compression",
		"[sink.kafka]\nbrokers = [\"kafka:9092\"]\non_bad_row = \"x\"":                  `sink.kafka: on_bad_row = "x"`,
		"[sink.kafka]\nbrokers = [\"kafka:9092\"]\npassword_file = \"/nowhere/at/all\"": "sink.kafka: password_file: open /nowhere/at/all",
	} {
		_, _, err := loadText(t, text+"\n")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		} else if strings.Contains(err.Error(), "hidden") {
			t.Errorf("the error has the password: %v", err)
		}
	}
	// A table that names no place is no sink.
	if _, _, err := loadText(t, "[sink.clickhouse]\nfrom = \"x\"\n[sink.kafka]\ntopic = \"a b\"\n"); err != nil {
		t.Error(err)
	}
}

// TestSinkMistakes sees that all mistakes are found at once, each with its line or its variable.
func TestSinkMistakes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.toml")
	if err := os.WriteFile(file, []byte(`[sink.clickhouse]
url = "http://ch"
from = "x"
on_bad_row = "y"
password_file = "/nowhere/at/all"

[sink.kafka]
topic = "a b"
`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, mistakes, _ := Check(Flags{File: file, DataDir: t.TempDir()}, []string{"CAIRN_SINK_KAFKA_BROKERS=kafka:9092", "CAIRN_SINK_KAFKA_COMPRESSION=lz4", "CAIRN_SINK_KAFKA_STORE=x"})
	all := strings.Join(mistakes, "\n")
	for _, want := range []string{file + ":3: sink.clickhouse: from", file + ":4: sink.clickhouse: on_bad_row", file + ":5: sink.clickhouse.password_file: open", file + ":8: sink.kafka: topic",
		"CAIRN_SINK_KAFKA_COMPRESSION: sink.kafka: compression", `CAIRN_SINK_KAFKA_STORE: "x" is not`} {
		if !strings.Contains(all, want) {
			t.Errorf("%s is missing in:\n%s", want, all)
		}
	}
}

func TestSinkWarnings(t *testing.T) {
	file := secretFile(t)
	sasl := "sasl = \"plain\"\nuser = \"u\"\npassword_file = \"" + file + "\"\n"
	for text, want := range map[string]string{
		"[sink.clickhouse]\nurl = \"http://ch:8123\"":                               "the url is plain http to another machine",
		"[sink.clickhouse]\nurl = \"http://192.0.2.1:8123\"":                        "the url is plain http to another machine",
		"[sink.clickhouse]\nurl = \"http://127.0.0.1:8123\"":                        "",
		"[sink.clickhouse]\nurl = \"http://[::1]:8123\"":                            "",
		"[sink.clickhouse]\nurl = \"http://localhost:8123\"":                        "",
		"[sink.clickhouse]\nurl = \"https://ch:8443\"":                              "",
		"[sink.kafka]\nbrokers = [\"localhost:9092\", \"kafka:9092\"]":              "can read the events",
		"[sink.kafka]\nbrokers = [\"kafka:9092\"]\n" + sasl:                         "the events and the password",
		"[sink.kafka]\nbrokers = [\"kafka:9092\"]\ntls = true\n" + sasl:             "",
		"[sink.kafka]\nbrokers = [\"localhost:9092\", \"127.0.0.1:9093\"]\n" + sasl: "",
	} {
		_, warnings, err := loadText(t, text+"\n")
		if got := strings.Join(warnings, "\n"); err != nil || want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, warnings, _ := loadText(t, "[sink.kafka]\nbrokers = [\"localhost:9092\"]\n"+sasl); !strings.Contains(strings.Join(warnings, "\n"), "every user of this machine can read "+file) {
		t.Errorf("%q", warnings)
	}
}

// TestSinkShow shows every key, with where it comes from, and what it shows can be read again.
func TestSinkShow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.toml")
	if err := os.WriteFile(file, []byte("[sink.kafka]\nbrokers = [\"kafka:9092\"]\nstore = \"18446744073709551615\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := []string{"CAIRN_SINK_KAFKA_TOPIC=rows"}
	cfg, _, err := Load(Flags{File: file, DataDir: t.TempDir()}, environ)
	if err != nil {
		t.Fatal(err)
	}
	shown := cfg.Show(NewOrigins(&cfg, Flags{File: file}, environ))
	for _, want := range []string{"[sink.clickhouse]", `url = "" `, "[sink.kafka]", `brokers = ["kafka:9092"] `, file + ":2", `topic = "rows" `, "# CAIRN_SINK_KAFKA_TOPIC", `store = "18446744073709551615"`, `password_file = "" `, `on_bad_row = "stop" `} {
		if !strings.Contains(shown, want) {
			t.Errorf("%s is missing in\n%s", want, shown)
		}
	}
	again, err := parseConfig("shown", shown)
	if err != nil || again.Sink.Kafka.Store != 1<<64-1 || again.Sink.ClickHouse.Hold != cfg.Sink.ClickHouse.Hold {
		t.Errorf("%+v, %v", again.Sink, err)
	}
	// The defaults of the configuration are those of the sink.
	defaults := defaultSinks()
	defaults.Kafka.Brokers = []string{"kafka:9092"}
	defaults.ClickHouse.URL = "http://ch:8123"
	if err := defaults.validate(); err != nil {
		t.Error(err)
	}
}
