package native

import _ "embed"

// OpenAPI is the contract of the native API, OpenAPI 3.1, as GET /openapi.json
// answers it. It is written by hand; openapi_test.go holds it equal to
// nativeTable and tries its schemas on real answers.
//
//go:embed openapi.json
var OpenAPI []byte
