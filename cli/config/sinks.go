package config

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/engine/sink"
	"cairn/engine/sink/kafka"
	"cairn/http/dialect"
)

// This file has the keys of [sink.clickhouse] and [sink.kafka].

// Sinks are the places that rows are carried to.
type Sinks struct {
	ClickHouse ClickHouse `toml:"clickhouse"`
	Kafka      Kafka      `toml:"kafka"`
}

// ClickHouse is a table that takes rows.
type ClickHouse struct {
	URL          string `toml:"url"` // "http://ch:8123"; "" = no such sink
	Database     string `toml:"database"`
	Table        string `toml:"table"`
	User         string `toml:"user"`
	PasswordFile string `toml:"password_file"`
	CA           string `toml:"ca"` // "" = the authorities of the system
	Create       bool   `toml:"create"`
	// Timeout is how long the server may take for one INSERT.
	Timeout dialect.Duration `toml:"timeout"`
	SinkSettings

	password string
}

// Kafka is a topic that takes rows.
type Kafka struct {
	Brokers      []string `toml:"brokers"` // none = no such sink
	Topic        string   `toml:"topic"`
	TLS          bool     `toml:"tls"`
	CA           string   `toml:"ca"`
	SASL         string   `toml:"sasl"`
	User         string   `toml:"user"`
	PasswordFile string   `toml:"password_file"`
	Compression  string   `toml:"compression"`
	Create       bool     `toml:"create"`
	SinkSettings

	password string
}

// SinkSettings are those of every sink.
type SinkSettings struct {
	Store    StoreNumber      `toml:"store"` // 0 = from the secret of the store
	From     string           `toml:"from"`  // "start" or "now"
	Hold     dialect.Duration `toml:"hold"`
	LagWarn  dialect.Duration `toml:"lag_warn"`
	OnBadRow string           `toml:"on_bad_row"` // "stop" or "skip"
}

// StoreNumber is the number of a cairn in a sink. TOML's numbers end at half of its values: larger
// ones are texts.
type StoreNumber uint64

// UnmarshalText reads a number, from 0.
func (n *StoreNumber) UnmarshalText(text []byte) error {
	x, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil {
		return fmt.Errorf("%q is not a whole number from 0 to %d", text, uint64(math.MaxUint64))
	}
	*n = StoreNumber(x)
	return nil
}

// String is the number as TOML.
func (n StoreNumber) String() string {
	text := strconv.FormatUint(uint64(n), 10)
	if n > math.MaxInt64 {
		return quote(text)
	}
	return text
}

func defaultSinks() Sinks {
	every := SinkSettings{From: "start", Hold: dialect.Duration(sink.HoldDefault), LagWarn: dialect.Duration(sink.LagWarnDefault), OnBadRow: "stop"}
	return Sinks{
		ClickHouse: ClickHouse{Database: "cairn", Table: "events", Timeout: dialect.Duration(time.Minute), SinkSettings: every},
		Kafka:      Kafka{Topic: "cairn", Compression: kafka.Compressions[0], SinkSettings: every},
	}
}

// On says whether the sink is configured.
func (c *ClickHouse) On() bool { return c.URL != "" }

// Password is what the file of the password has.
func (c *ClickHouse) Password() string { return c.password }

// On says whether the sink is configured.
func (k *Kafka) On() bool { return len(k.Brokers) > 0 }

// Options are those of the sink itself.
func (k *Kafka) Options() kafka.Options {
	return kafka.Options{Brokers: k.Brokers, Topic: k.Topic, Create: k.Create, TLS: k.TLS, CA: k.CA, SASL: k.SASL, User: k.User, Password: k.password, Compression: k.Compression}
}

// Carry is how rows are carried to a sink.
func (s *SinkSettings) Carry(to sink.Sink) sink.Config {
	return sink.Config{Sink: to, FromNow: s.From == "now", Hold: time.Duration(s.Hold), LagWarn: time.Duration(s.LagWarn), SkipBad: s.OnBadRow == "skip", StoreNum: uint64(s.Store)}
}

// sinkSecret is a file of a password. Its key is below [sink].
type sinkSecret struct {
	table string
	secret
}

func (s *Sinks) secrets() []sinkSecret {
	return []sinkSecret{
		{"sink.clickhouse", secret{"password", &s.ClickHouse.password, s.ClickHouse.PasswordFile}},
		{"sink.kafka", secret{"password", &s.Kafka.password, s.Kafka.PasswordFile}},
	}
}

// readSecrets reads the files that the tables name.
func (s *Sinks) readSecrets() error {
	for _, one := range s.secrets() {
		if err := readSecret(one.to, one.file, one.key); err != nil {
			return fmt.Errorf("%s: %w", one.table, err)
		}
	}
	return nil
}

// databaseName matches the names of databases and tables that need no quotes.
var databaseName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// validate returns what is wrong with the tables. The error begins with the key, as in
// "sink.kafka: topic".
func (s *Sinks) validate() error {
	if c := &s.ClickHouse; c.On() {
		if err := c.validate(); err != nil {
			return fmt.Errorf("sink.clickhouse: %w", err)
		}
	}
	if k := &s.Kafka; k.On() {
		o := k.Options()
		err := o.Validate()
		if err == nil {
			err = k.SinkSettings.validate()
		}
		if err != nil {
			return fmt.Errorf("sink.kafka: %w", err)
		}
	}
	return nil
}

func (c *ClickHouse) validate() error {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf(`url = %q is not the address of a server's HTTP interface; use for example "http://ch:8123"`, hideUser(c.URL))
	case u.User != nil:
		return fmt.Errorf("url has a user; put it into user and password_file")
	case !databaseName.MatchString(c.Database):
		return fmt.Errorf("database = %q: a name has letters, digits and underscores, and begins with no digit", c.Database)
	case !databaseName.MatchString(c.Table):
		return fmt.Errorf("table = %q: a name has letters, digits and underscores, and begins with no digit", c.Table)
	case c.User == "" && c.PasswordFile != "":
		return fmt.Errorf("password_file needs user")
	case c.CA != "" && u.Scheme != "https":
		return fmt.Errorf("ca needs a url with https")
	case time.Duration(c.Timeout) < timeoutLeast || time.Duration(c.Timeout) > timeoutMost:
		return fmt.Errorf(`timeout = "%v": must be from "1s" to "1h"`, time.Duration(c.Timeout))
	}
	return c.SinkSettings.validate()
}

// hideUser is an address without the user and the password that it may have.
func hideUser(address string) string {
	if i := strings.LastIndexByte(address, '@'); i >= 0 {
		return "…" + address[i:]
	}
	return address
}

// Bounds of the settings of every sink.
const (
	timeoutLeast = time.Second
	timeoutMost  = time.Hour
	holdMost     = 365 * 24 * time.Hour
	lagWarnMost  = 30 * 24 * time.Hour
	holdLeast    = time.Minute
	lagLeast     = 10 * time.Second
)

func (s *SinkSettings) validate() error {
	switch hold, lag := time.Duration(s.Hold), time.Duration(s.LagWarn); {
	case !slices.Contains([]string{"start", "now"}, s.From):
		return fmt.Errorf(`from = %q: must be "start" or "now"`, s.From)
	case hold < holdLeast || hold > holdMost:
		return fmt.Errorf(`hold = "%v": must be from "1m" to "365d"`, hold)
	case lag < lagLeast || lag > lagWarnMost:
		return fmt.Errorf(`lag_warn = "%v": must be from "10s" to "30d"`, lag)
	case !slices.Contains([]string{"stop", "skip"}, s.OnBadRow):
		return fmt.Errorf(`on_bad_row = %q: must be "stop" or "skip"`, s.OnBadRow)
	}
	return nil
}

// warnings are for the operator's log.
func (s *Sinks) warnings() (list []string) {
	if u, err := url.Parse(s.ClickHouse.URL); s.ClickHouse.On() && err == nil && u.Scheme == "http" && !thisMachine(u.Hostname()) {
		list = append(list, "sink.clickhouse: the url is plain http to another machine: everybody on the way can read the events and the password; use https")
	}
	if k := &s.Kafka; k.On() && !k.TLS {
		away := slices.ContainsFunc(k.Brokers, func(b string) bool {
			host, _, err := net.SplitHostPort(b)
			return err == nil && !thisMachine(host)
		})
		switch {
		case away && k.SASL == "plain":
			list = append(list, "sink.kafka: tls is off: everybody on the way to the brokers can read the events and the password")
		case away:
			list = append(list, "sink.kafka: tls is off: everybody on the way to the brokers can read the events")
		}
	}
	return list
}

// thisMachine says whether a host is the one that cairn runs on.
func thisMachine(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}
