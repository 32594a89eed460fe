package httpd

import (
	"cairn/http/dialect"
	"cairn/http/oppizi"
)

// dialects lists the wire protocols besides the native API. A new one is one line
// here; where two could answer the same request, the earlier one does.
func dialects() []dialect.Dialect {
	return []dialect.Dialect{
		oppizi.New(),
	}
}
