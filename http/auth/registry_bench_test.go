package auth

import (
	"fmt"
	"testing"
	"time"

	"cairn/http/dialect"
)

// BenchmarkRegistry is how long it takes to find whose a request is, for each kind of credential.
func BenchmarkRegistry(b *testing.B) {
	var sites []Keys
	for i := range uint32(10) {
		sites = append(sites, testKeys(i+1, fmt.Sprint("site", i)))
	}
	r, err := NewRegistry(sites, Tokens{Admin: "admin"}, false, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("header", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, failure, _ := r.Authorize("Bearer site3-secret", "", dialect.Write, false); failure != dialect.OK {
				b.Fatal(failure)
			}
		}
	})
	for name, c := range map[string]dialect.Credential{
		"write_key":     {Kind: dialect.CredentialWriteKey, ID: "site3-write"},
		"client":        {Kind: dialect.CredentialClient, ID: "site3-client", Secret: "site3-client-secret"},
		"token_auth":    {Kind: dialect.CredentialSiteID, ID: "4", Secret: "site3-token"},
		"idsite":        {Kind: dialect.CredentialSiteID, ID: "4"},
		"wrong":         {Kind: dialect.CredentialWriteKey, ID: "site3-wrong"},
		"client_origin": {Kind: dialect.CredentialClient, ID: "site3-client"},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Resolve(c, "https://site3.example")
			}
		})
	}
}
