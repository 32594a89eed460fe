// Package kafka carries rows to a topic of Kafka, or of what speaks its protocol: Redpanda and
// WarpStream. A record is a row, a transaction is a range, and the last record of each transaction
// goes to a second topic, TOPIC-cursor: it says how far a site has come. So Kafka itself knows what
// has arrived, and a range that is sent again after a crash adds nothing.
//
// Read sink.go first: it is the sink. options.go has its settings, and what is wrong with them.
// cluster.go knows the brokers and conn.go speaks to one. producer.go makes transactions, batch.go
// the bytes of their records, and cursor.go reads what has arrived. topics.go checks the topics, and
// faults.go says how an error ends. left.go stands for all of it in a build with the tag nosinks.
//
// The requests are those of github.com/twmb/franz-go/pkg/kmsg. Its client, kgo, is not used: it makes
// the program 4.0 MB larger, this package 0.4 MB. What a client has to do is small here, since one
// transaction is under way at a time, and any error ends it: it is aborted, everything is asked anew,
// and what has not arrived is sent again. The tests run against kfake and read with kgo.
package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Options configure New.
type Options struct {
	Brokers     []string // "host:port" of some brokers; they name the others
	Topic       string   // of the rows
	Create      bool     // make the topics that are missing
	TLS         bool
	CA          string // file with the certificates to trust, PEM; "" = those of the system
	SASL        string // "" = none; else one of Mechanisms
	User        string // with SASL
	Password    string // with SASL
	Compression string // one of Compressions; "" = zstd

	// Dial connects to a broker; nil = over TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Mechanisms are those of SASL.
var Mechanisms = []string{"plain", "scram-sha-256", "scram-sha-512"}

// Compressions are the codecs for records.
var Compressions = []string{"zstd", "gzip", "snappy", "none"}

// brokersMax bounds Options.Brokers.
const brokersMax = 100

// cursorSuffix makes the name of the second topic.
const cursorSuffix = "-cursor"

// topicName matches what Kafka takes for a topic. The longest is 249, with the suffix.
var topicName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,242}$`)

// Validate returns what is wrong with the settings. The error begins with the key of [sink.kafka].
func (o *Options) Validate() error {
	if leftOut != nil {
		return leftOut
	}
	if len(o.Brokers) == 0 || len(o.Brokers) > brokersMax {
		return fmt.Errorf(`brokers has %d addresses; name some brokers, for example ["kafka-1:9092", "kafka-2:9092"]`, len(o.Brokers))
	}
	for _, b := range o.Brokers {
		host, port, err := net.SplitHostPort(b)
		if n, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil || n == 0 || host == "" {
			return fmt.Errorf(`brokers has %q, which is not an address with a port such as "kafka-1:9092"`, b)
		}
	}
	switch {
	case !topicName.MatchString(o.Topic) || o.Topic == "." || o.Topic == "..":
		return fmt.Errorf("topic = %q: a topic has 1 to 242 letters, digits, dots, dashes and underscores", o.Topic)
	case o.SASL != "" && !slices.Contains(Mechanisms, o.SASL):
		return fmt.Errorf(`sasl = %q: must be %s, or left out`, o.SASL, strings.Join(Mechanisms, ", "))
	case o.SASL != "" && (o.User == "" || o.Password == ""):
		return errors.New("sasl needs user and password_file")
	case o.SASL == "" && (o.User != "" || o.Password != ""):
		return errors.New("user and password_file need sasl, for example sasl = \"scram-sha-512\"")
	case o.CA != "" && !o.TLS:
		return errors.New("ca needs tls = true")
	case o.Compression != "" && !slices.Contains(Compressions, o.Compression):
		return fmt.Errorf("compression = %q: must be %s", o.Compression, strings.Join(Compressions, ", "))
	}
	_, err := o.tlsConfig()
	return err
}

// tlsConfig reads the file of the certificates. It is nil without TLS.
func (o *Options) tlsConfig() (*tls.Config, error) {
	if !o.TLS {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CA != "" {
		text, err := os.ReadFile(o.CA)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("ca: %s has no certificate in PEM", o.CA)
		}
	}
	return c, nil
}
