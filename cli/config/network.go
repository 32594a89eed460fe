package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	httpd "cairn/http"
	"cairn/http/wire"
)

// This file checks how clients reach the server: the addresses to listen on, proxies, certificates.

// List is a list of texts. A file may have one text in its place, with commas between the parts.
type List []string

// UnmarshalTOML reads a list, or one text.
func (l *List) UnmarshalTOML(value any) error {
	switch value := value.(type) {
	case string:
		*l = listOf(value)
		return nil
	case []any:
		*l = make(List, 0, len(value))
		for _, part := range value {
			text, ok := part.(string)
			if !ok {
				return fmt.Errorf("%v is no text: a list of texts is needed", part)
			}
			*l = append(*l, text)
		}
		return nil
	}
	return fmt.Errorf("%v is neither a text nor a list of texts", value)
}

// listOf splits a text at its commas.
func listOf(text string) (l List) {
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			l = append(l, part)
		}
	}
	return l
}

// listenMax bounds how many addresses a server listens on.
const listenMax = 16

// checkNetwork checks what this file is about. The error names the key.
func (c *Config) checkNetwork() error {
	if len(c.Listen) == 0 || len(c.Listen) > listenMax {
		return fmt.Errorf("listen: must have from 1 to %d addresses", listenMax)
	}
	for i, address := range c.Listen {
		if err := wire.CheckAddress(address); err != nil {
			return fmt.Errorf("listen = %w", err)
		}
		if slices.Contains(c.Listen[:i], address) || address == c.ListenHTTP {
			return fmt.Errorf("%q is there twice as an address to listen on", address)
		}
	}
	if c.ListenHTTP != "" {
		if err := wire.CheckAddress(c.ListenHTTP); err != nil {
			return fmt.Errorf("listen_http = %w", err)
		}
		if len(c.ACMEHosts) == 0 {
			return fmt.Errorf("listen_http sends clients to the hosts in acme_hosts, and there are none")
		}
	}
	if _, err := c.fetchedHosts(); err != nil {
		return err
	}
	if e := c.ACMEEmail; e != "" && (strings.Count(e, "@") != 1 || strings.ContainsAny(e, " ,;:<>\r\n") || len(e) > 254) {
		return fmt.Errorf(`acme_email = %q: must be one address such as "ops@example.com"`, e)
	}
	if _, err := wire.DirectoryURL(c.ACMEDirectory); err != nil {
		return fmt.Errorf("acme_directory = %w", err)
	}
	if _, err := c.Addresses(); err != nil {
		return err
	}
	_, err := c.Proxies()
	return err
}

// fetchedHosts are the hosts in acme_hosts in the form in which they are asked for.
func (c *Config) fetchedHosts() (hosts []string, err error) {
	if len(c.ACMEHosts) > wire.HostsMax {
		return nil, fmt.Errorf("acme_hosts: at most %d hosts", wire.HostsMax)
	}
	for _, text := range c.ACMEHosts {
		host, err := wire.HostName(text)
		if err != nil {
			return nil, fmt.Errorf("acme_hosts: %w", err)
		}
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts, nil
}

// Certificates are those of a checked configuration. dir is where those are kept that are fetched.
func (c *Config) Certificates(dir string) wire.CertOptions {
	hosts, _ := c.fetchedHosts() // checked
	return wire.CertOptions{Cert: c.TLSCert, Key: c.TLSKey, ACME: wire.ACME{
		Hosts: hosts, Email: c.ACMEEmail, Directory: c.ACMEDirectory, CA: c.ACMECA, Dir: dir, HTTP: c.ListenHTTP != "",
	}}
}

// Secure says whether the server speaks TLS at addresses that are no sockets.
func (c *Config) Secure() bool { return c.TLSCert != "" || len(c.ACMEHosts) > 0 }

// Addresses are how clients reach the server. The error names the key.
func (c *Config) Addresses() (httpd.Addresses, error) {
	return httpd.NewAddresses(c.PublicURL, c.BasePath)
}

// DebugAddress is the address for profiles. Without a host it is of this machine alone.
func (c *Config) DebugAddress() string {
	if host, port, err := net.SplitHostPort(c.DebugListen); err == nil && host == "" {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return c.DebugListen
}

// unixProxies stands in trusted_proxies for whoever connects to a unix socket.
const unixProxies = "unix"

// Proxies are the trusted proxies. A single address becomes a prefix of full length.
func (c *Config) Proxies() ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range c.TrustedProxies {
		if text == unixProxies {
			all = append(all, wire.UnixPeers)
			continue
		}
		p, err := parsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("trusted_proxies: %w", err)
		}
		all = append(all, p)
	}
	return all, nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf(`%q is neither an address nor a network such as 10.0.0.0/8, nor "unix"`, text)
	}
	a = a.Unmap().WithZone("")
	return netip.PrefixFrom(a, a.BitLen()), nil
}
