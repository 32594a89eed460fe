package native

import (
	"testing"

	"cairn/http/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
