package segment

import (
	"testing"

	"cairn/http/dialect"
	"cairn/http/dialect/dialecttest"
)

func TestGolden(t *testing.T) {
	dialecttest.Golden{Dialect: New(dialect.SegmentSettings{})}.Run(t, "testdata/*.txt")
}
