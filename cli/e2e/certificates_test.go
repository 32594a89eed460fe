package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cairn/cli"
	"cairn/http/testkit"
)

// This file changes the certificate of a running server, as an operator and as a program that renews
// certificates do.

// shownName is the name in the certificate of the server at an address; "" = it speaks no TLS.
func shownName(t *testing.T, address string) string {
	t.Helper()
	c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return ""
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].DNSNames[0]
}

// A certificate changes by SIGHUP and by "cairn reload", at once and without an end of connections.
// Half a certificate, or one that is not the key's, changes nothing and is named.
func TestCertificateChanges(t *testing.T) {
	t.Parallel()
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Each certificate has files of its own: the server looks at those that it has by itself, too.
	pair := func(name string) (cert, settings string) {
		cert, key := testkit.Certificate(t, t.TempDir(), name)
		return cert, fmt.Sprintf("tls_cert = %q\ntls_key = %q\n", cert, key)
	}
	_, one := pair("one.example")
	flags := configured(t, one)
	s := startServer(t, filepath.Join(t.TempDir(), "data"), flags...)
	address := strings.TrimPrefix(s.url(), "https://")
	reload := func(want int, says string) {
		t.Helper()
		if out, code := s.cairnCommand("reload", flags...); code != want || !strings.Contains(out, says) {
			t.Errorf("reload: %d %s; want %d, %q", code, out, want, says)
		}
	}
	shows := func(want string) {
		t.Helper()
		if got := shownName(t, address); got != want {
			t.Errorf("the server shows %q, want %q", got, want)
		}
	}
	links := func(to string) { // that the server hands out
		t.Helper()
		if out, code := s.cairnCommand("dashboard", flags...); code != cli.ExitOK || !strings.Contains(out, to) {
			t.Errorf("a link to %s: %d %s", to, code, out)
		}
	}
	shows("one.example")
	stays, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer stays.Close()
	answers := bufio.NewReader(stays)
	ask := func() {
		t.Helper()
		stays.SetDeadline(time.Now().Add(20 * time.Second))
		fmt.Fprintf(stays, "GET /readyz HTTP/1.1\r\nHost: one.example\r\n\r\n")
		res, err := http.ReadResponse(answers, nil)
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("the connection that stays: %v %v", res, err)
		}
		if _, err := answers.Discard(int(res.ContentLength)); err != nil {
			t.Fatal(err)
		}
	}
	ask()

	_, two := pair("two.example")
	write(flags[1], two)
	reload(cli.ExitOK, "tls_cert")
	shows("two.example")
	ask()

	cert, three := pair("three.example")
	whole, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := pair("other.example")
	foreign, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	write(flags[1], three)
	for _, text := range []string{"", string(whole[:len(whole)/2]), string(foreign)} {
		write(cert, text)
		reload(cli.ExitFailed, cert)
		shows("two.example")
	}
	write(cert, string(whole))
	for end := time.Now().Add(20 * time.Second); shownName(t, address) != "three.example"; time.Sleep(50 * time.Millisecond) {
		if err := s.running().Cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatal("no SIGHUP has changed the certificate")
		}
	}
	ask()

	// The files of the certificate in use are half written: it stays in use, and a reload says why.
	write(cert, string(whole[:len(whole)/2]))
	reload(cli.ExitFailed, cert)
	shows("three.example")
	ask()

	// Without a certificate the server goes on with plain HTTP, for new connections.
	write(flags[1], "")
	reload(cli.ExitFailed, "is empty")
	write(flags[1], "# no certificate\n")
	reload(cli.ExitOK, "tls_cert")
	shows("")
	if status, _, err := request("GET", "http://"+address+"/readyz", nil, ""); err != nil || status != 200 {
		t.Errorf("plain HTTP: %d %v", status, err)
	}
	links("http://" + address)
	ask()
	write(flags[1], one)
	reload(cli.ExitOK, "tls_cert")
	links("https://" + address)
	shows("one.example")
	stays.Close()
	s.finish()
}

// "cairn config check" reads the file of an authority, as a start does.
func TestCheckAuthority(t *testing.T) {
	t.Parallel()
	flags := configured(t, "acme_hosts = [\"stats.example\"]\nacme_ca = \"/does/not/exist\"\n")
	dir := filepath.Join(t.TempDir(), "data")
	out, err := cairnSays(t.Context(), "config", "check", flags[0], flags[1], "-data", dir)
	if err == nil || !strings.Contains(out, flags[1]+":2: acme_ca: open /does/not/exist") {
		t.Errorf("%s %v", out, err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a check has made the data directory")
	}
}
