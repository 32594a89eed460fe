package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cairn/cli/config"
	"cairn/http/wire"
)

// This file is how commands of this machine reach the running server: through a socket in its
// data directory, whatever address, certificate and base path it has; without that, at the first
// address of listen.

// askMax is how long the server may take to answer.
const askMax = 10 * time.Minute

// socketName is the name of the socket in the data directory.
const socketName = "cairn.sock"

// socketPath is where the server of a data directory listens for commands; "" if the path is too
// long for a socket.
func socketPath(cfg *config.Config) string {
	path := filepath.Join(cfg.DataDir, socketName)
	if len(path) > wire.SocketBytesMax {
		return ""
	}
	return path
}

// listenSocket listens for commands of this machine. It is nil if that is not possible: commands
// then use the address of the server. The caller has locked the data directory.
func listenSocket(cfg *config.Config, log *slog.Logger) net.Listener {
	path := socketPath(cfg)
	if path == "" {
		return nil
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSocket != 0 {
		os.Remove(path) // of a process that was killed
	}
	ln, err := net.Listen("unix", path)
	if err == nil {
		if err = os.Chmod(path, 0o600); err != nil {
			ln.Close()
		}
	}
	if err != nil {
		log.Warn("cannot listen for commands of this machine; they use the address of the server", "error", err)
		return nil
	}
	return ln
}

// server is a running server.
type server struct {
	client *http.Client
	base   string // its address
	header http.Header
	socket string // that it is reached by; "" = by its address
	stored bool   // it is no server but a stopped store that this process has opened
}

// where is the address of the server to people.
func (s *server) where() string {
	switch {
	case s.stored:
		return "the stopped store"
	case s.socket != "":
		return s.socket
	}
	return s.base
}

// readAdminToken completes the configuration with the admin's token alone, from keys.toml: that is all
// that asking the server takes. Which sites have keys does not matter, since the command may not know
// the file in which the server has its sites.
func readAdminToken(cfg *config.Config) error {
	if cfg.AdminToken != "" {
		return nil
	}
	keys, err := config.ReadKeys(filepath.Join(cfg.DataDir, config.KeysName))
	if err == nil && keys.AdminToken == "" {
		err = fmt.Errorf("%s has no keys yet; start the server once to generate them", cfg.DataDir)
	}
	cfg.AdminToken = keys.AdminToken
	return err
}

// reach finds the running server of a configuration with its keys. url is the address of another
// one, "" = none.
func reach(cfg *config.Config, url string) (*server, error) {
	s := &server{client: &http.Client{Timeout: askMax}, base: strings.TrimSuffix(url, "/"), header: http.Header{}}
	s.header.Set("Authorization", "Bearer "+cfg.AdminToken)
	if url == "" {
		path := socketPath(cfg)
		if path != "" {
			if _, err := os.Lstat(path); err != nil {
				path = ""
			}
		}
		first := cfg.Listen[:min(1, len(cfg.Listen))] // of a configuration that nobody has checked
		for _, address := range first {
			if socket, ok := wire.UnixPath(address); ok && path == "" {
				path = socket
			}
		}
		if path != "" {
			s.base, s.socket = "http://cairn", path // the server knows its own address
			s.client.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", path)
			}}
			return s, nil
		}
		s.base = baseURL(cfg, first)
		if o := certOptions(cfg).ACME; cfg.TLSCert == "" && len(o.Hosts) > 0 {
			// The certificate is of a name, not of this address.
			s.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{ServerName: o.Hosts[0]}}
			return s, nil
		}
	}
	if cfg.TLSCert != "" {
		trust, err := trustOnly(cfg.TLSCert)
		if err != nil {
			return nil, err
		}
		s.client.Transport = &http.Transport{TLSClientConfig: trust}
	}
	return s, nil
}

// ask asks the server for a call, and reads the JSON of its answer into answer.
func (s *server) ask(method, path string, answer any) error { return s.call(method, path, nil, answer) }

// call is ask with a body of JSON, nil = none.
func (s *server) call(method, path string, send []byte, answer any) error {
	ctx, stop := context.WithTimeout(context.Background(), askMax)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, method, s.base+path, bytes.NewReader(send))
	if err != nil {
		return err
	}
	req.Header = s.header.Clone()
	if send != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("cannot reach the server: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		var refused struct{ Error string }
		if json.Unmarshal(body, &refused) == nil && refused.Error != "" {
			return fmt.Errorf("the server answered %d: %s", res.StatusCode, refused.Error)
		}
		return fmt.Errorf("the server answered %s", res.Status)
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return errors.New("the server answered something that is not from cairn")
	}
	return nil
}

// trustOnly accepts the server's own certificate and no other, whatever host name the client
// uses. So the admin token can go to no other server.
func trustOnly(certFile string) (*tls.Config, error) {
	text, err := os.ReadFile(certFile)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s contains no certificate", certFile)
	}
	return &tls.Config{
		InsecureSkipVerify: true, // VerifyPeerCertificate is stricter
		VerifyPeerCertificate: func(chain [][]byte, _ [][]*x509.Certificate) error {
			if len(chain) == 0 || !bytes.Equal(chain[0], block.Bytes) {
				return fmt.Errorf("the server does not present the certificate in %s", certFile)
			}
			return nil
		},
	}, nil
}
