package backup_test

import (
	"testing"

	"cairn/engine/backup"
	"cairn/engine/backup/buckettest"
)

func TestMem(t *testing.T) {
	buckettest.Test(t, func(*testing.T) backup.Bucket { return backup.NewMem() })
}
