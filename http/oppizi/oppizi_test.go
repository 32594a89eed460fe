package oppizi

import (
	"testing"

	"cairn/http/dialect/dialecttest"
)

func TestGolden(t *testing.T) {
	dialecttest.Golden{Dialect: New()}.Run(t, "testdata/*.txt")
}
