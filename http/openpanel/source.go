package openpanel

import (
	"net/netip"

	"cairn/engine/address"
	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file reads whose a request is and where it says to come from.

// credentialOf is the client of the headers; "mixan" is the product's old name.
func credentialOf(req *dialect.Request) dialect.Credential {
	c := dialect.Credential{Kind: dialect.CredentialClient, ID: req.Header("Openpanel-Client-Id"), Secret: req.Header("Openpanel-Client-Secret")}
	if c.ID == "" {
		c.ID = req.Header("Mixan-Client-Id")
	}
	if c.Secret == "" {
		c.Secret = req.Header("Mixan-Client-Secret")
	}
	return c
}

// credentialsOf takes from the body what the headers did not say.
func (m *message) credentialsOf(body event.Object) {
	if v := body.Get("clientId"); m.credential.ID == "" && v.Kind == event.String {
		m.credential.ID = v.Text
	}
	if v := body.Get("clientSecret"); m.credential.Secret == "" && v.Kind == event.String {
		m.credential.Secret = v.Text
	}
}

// Credential is the client a read asks for.
func (protocol) Credential(req *dialect.Request) dialect.Credential { return credentialOf(req) }

// claimHeaders are what an application's server says of its visitor's address. It
// is believed from those who hold the secret, and from trusted_proxies; what proxies say in
// their own headers is the server's to judge.
var claimHeaders = [...]string{"Openpanel-Client-Ip", "X-Client-Ip"}

func claimedOf(req *dialect.Request) netip.Addr {
	for _, name := range claimHeaders {
		if a, ok := publicAddr(req.Header(name)); ok {
			return a
		}
	}
	return netip.Addr{}
}

// publicAddr reads the address of a header or property that may be somebody's on the
// internet.
func publicAddr(s string) (netip.Addr, bool) {
	a, ok := address.First(s)
	return a, ok && address.Public(a)
}
