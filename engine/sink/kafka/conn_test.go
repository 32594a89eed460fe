//go:build !nosinks

package kafka

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/engine/sink"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// authority makes a certificate for 127.0.0.1 that signs itself, and its file.
func authority(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// TestTLSAndLogin sends through TLS, with each way to log in.
func TestTLSAndLogin(t *testing.T) {
	t.Parallel()
	certificate, file := authority(t)
	for _, mechanism := range Mechanisms {
		c, err := kfake.NewCluster(kfake.NumBrokers(2), kfake.SeedTopics(2, testTopic), kfake.SeedTopics(1, testTopic+cursorSuffix), kfake.BrokerConfigs(map[string]string{"log.cleanup.policy": "delete"}),
			kfake.TLS(&tls.Config{Certificates: []tls.Certificate{certificate}}), kfake.EnableSASL(), kfake.Superuser(strings.ToUpper(mechanism), "cairn", "a secret"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		try := func(change func(*Options)) error {
			s := newSink(t, c, func(o *Options) {
				o.TLS, o.CA, o.SASL, o.User, o.Password = true, file, mechanism, "cairn", "a secret"
				change(o)
			})
			if err := s.Open(t.Context()); err != nil {
				return err
			}
			return s.Send(t.Context(), rangeOf(testStore, shop, 1, 3, "a"))
		}
		// All that is wrong with this cluster is that its second topic is not compacted.
		codeIs(t, try(func(*Options) {}), "CURSOR_NOT_COMPACTED", false)
		codeIs(t, try(func(o *Options) { o.CA = "" }), "tls", false)
		if f := sink.FaultOf(try(func(o *Options) { o.Password = "another secret" })); f.Code != "sasl" && f.Code != "SASL_AUTHENTICATION_FAILED" { // as the broker likes
			t.Errorf("%s: another password: %v", mechanism, f)
		}
		if err := try(func(o *Options) { o.TLS, o.CA = false, "" }); err == nil || !sink.FaultOf(err).Passes {
			t.Errorf("without TLS: %v", err)
		}
		if err := try(func(o *Options) { o.Password = "another secret" }); strings.Contains(err.Error(), "secret") {
			t.Errorf("the error has the password: %v", err)
		}
	}
}

// TestTopics sees what is said of topics that are missing or would lose rows, and that they are made.
func TestTopics(t *testing.T) {
	t.Parallel()
	empty, err := kfake.NewCluster(kfake.NumBrokers(2), kfake.DefaultNumPartitions(3))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(empty.Close)
	codeIs(t, newSink(t, empty, nil).Open(t.Context()), "UNKNOWN_TOPIC_OR_PARTITION", false)
	s := newSink(t, empty, func(o *Options) { o.Create = true })
	for range 2 {
		if err := s.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Send(t.Context(), rangeOf(testStore, shop, 1, 9, "a")); err != nil {
		t.Fatal(err)
	}
	wantRows(t, empty, shop, 1, 9)
	policy := empty.TopicInfo(s.cursorTopic).Configs["cleanup.policy"]
	if len(empty.PartitionInfos(s.cursorTopic)) != 1 || len(empty.PartitionInfos(testTopic)) != 3 || policy == nil || *policy != "compact" {
		t.Errorf("%d partitions of cursors, %d of rows", len(empty.PartitionInfos(s.cursorTopic)), len(empty.PartitionInfos(testTopic)))
	}
	if err := setPolicy(empty, testTopic, "compact"); err != nil {
		t.Fatal(err)
	}
	codeIs(t, s.Open(t.Context()), "TOPIC_COMPACTED", false)
	// Who may not look at the settings of topics is trusted.
	empty.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Err: kerr.TopicAuthorizationFailed, Count: -1})
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestOldKafka sends to a cluster of 2.1, the oldest that is supported, and to one of 4.0.
func TestOldKafka(t *testing.T) {
	t.Parallel()
	for _, v := range []*kversion.Versions{kversion.V2_1_0(), kversion.V4_0_0()} {
		c := newCluster(t, kfake.MaxVersions(v))
		if err := opened(t, c).Send(t.Context(), rangeOf(testStore, shop, 1, 9, "a")); err != nil {
			t.Fatal(err)
		}
		wantRows(t, c, shop, 1, 9)
	}
	c := newCluster(t)
	s := opened(t, c)
	s.cluster.seed.known[kmsg.FindCoordinator.Int16()] = apiVersions{3, 9}
	codeIs(t, s.Send(t.Context(), rangeOf(testStore, shop, 1, 9, "a")), "UNSUPPORTED_VERSION", false)
}

// TestAskAfterAnswersNobodyTook asks while older answers are under way.
func TestAskAfterAnswersNobodyTook(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s := opened(t, c)
	for range 3 {
		if err := s.cluster.seed.send(t.Context(), kmsg.NewPtrMetadataRequest()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.coordinator(t.Context(), &producer{id: "x"}); err != nil {
		t.Fatal(err)
	}
}

// TestHostileAnswers answers with bytes that are no answers.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"", "HTTP/1.1 400 Bad Request\r\n\r\n", "\x7f\xff\xff\xff\x00\x00\x00\x00", "\x00\x00\x00\x04\x00\x00\x00\x07", "\x00\x00\x00\x0a\x00\x00\x00\x00\x00\x00\x7f\xff\xff\xff", "\xff\xff\xff\xff\x00\x00\x00\x00"} {
		o := Options{Brokers: []string{"broker:9092"}, Topic: testTopic, Dial: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go func() {
				buf := make([]byte, 1000)
				server.Read(buf)
				server.Write([]byte(answer))
				server.Close()
			}()
			return client, nil
		}}
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Open(t.Context()); err == nil || !sink.FaultOf(err).Passes {
			t.Errorf("%q: %v", answer, err)
		}
	}
}

func TestNextSequence(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]int32{{0, 5, 5}, {math.MaxInt32 - 1, 1, math.MaxInt32}, {math.MaxInt32, 1, 0}, {math.MaxInt32 - 1, 3, 1}} {
		if got := nextSequence(c[0], c[1]); got != c[2] {
			t.Errorf("%d + %d = %d, want %d", c[0], c[1], got, c[2])
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	good := Options{Brokers: []string{"kafka:9092", "[::1]:9092"}, Topic: "cairn"}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(o *Options){
		"brokers has 0":              func(o *Options) { o.Brokers = nil },
		`brokers has "kafka"`:        func(o *Options) { o.Brokers = []string{"kafka"} },
		`brokers has "kafka:0"`:      func(o *Options) { o.Brokers = []string{"kafka:0"} },
		`brokers has ":9092"`:        func(o *Options) { o.Brokers = []string{":9092"} },
		`topic = ""`:                 func(o *Options) { o.Topic = "" },
		`topic = "a b"`:              func(o *Options) { o.Topic = "a b" },
		`topic = "..`:                func(o *Options) { o.Topic = ".." },
		`sasl = "gssapi"`:            func(o *Options) { o.SASL = "gssapi" },
		"sasl needs user":            func(o *Options) { o.SASL, o.User = "plain", "u" },
		"password_file need sasl":    func(o *Options) { o.Password = "p" },
		"ca needs tls":               func(o *Options) { o.CA = "/ca.pem" },
		"ca: open /nowhere/ca.pem":   func(o *Options) { o.TLS, o.CA = true, "/nowhere/ca.pem" },
		"conn_test.go has no certif": func(o *Options) { o.TLS, o.CA = true, "conn_test.go" },
		`compression = "lz4": must`:  func(o *Options) { o.Compression = "lz4" },
	} {
		o := good
		o.Brokers = slices.Clone(good.Brokers)
		change(&o)
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s: %v", want, err)
		}
		if _, err := New(o); err == nil {
			t.Errorf("%s: New takes it", want)
		}
	}
}

// FuzzBatches reads any bytes as batches of a cursor topic.
func FuzzBatches(f *testing.F) {
	b := builder{}
	for _, codec := range codecs {
		b.codec = codec
		b.reset()
		b.add([]byte("1/1"), []byte(`{"store":"1","last":5}`), header{"seq", []byte("5")})
		b.add([]byte("1/2"), nil)
		batch, err := b.batch(1, &producer{number: 5}, 7)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(slices.Clone(batch), false)
	}
	f.Fuzz(func(t *testing.T, raw []byte, mend bool) {
		if mend && len(raw) >= batchHead { // behind the CRC
			raw = slices.Clone(raw)
			mendBatch(raw)
		}
		var c cursors
		c.forget()
		c.take(&kmsg.FetchResponseTopicPartition{RecordBatches: raw})
		if len(c.sites) > len(raw) && len(c.sites) > unpackedMax/7 {
			t.Errorf("%d sites", len(c.sites))
		}
	})
}
