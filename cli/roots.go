package cli

// Certificates of authorities for systems that have none, such as an image with nothing but cairn.
// Without them it could fetch no certificate, and reach no bucket. Those of the system win.
import _ "golang.org/x/crypto/x509roots/fallback"
