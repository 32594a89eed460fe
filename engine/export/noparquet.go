//go:build noparquet

// A build without Parquet, which takes some megabytes of the program.

package export

import (
	"context"

	"cairn/engine/query"
	"cairn/engine/read"
)

const hasParquet = false

func writeParquet(context.Context, *read.Stretches, *output, *query.Export, int64) error {
	return query.Bad("format", "this cairn was built without parquet")
}
