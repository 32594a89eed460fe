package cli

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// fileSystems are the kinds that matter, by what statfs calls them.
var fileSystems = map[int64]string{
	unix.TMPFS_MAGIC: "tmpfs", unix.NFS_SUPER_MAGIC: "nfs", 0xff534d42: "cifs", 0xfe534d42: "smb2", unix.FUSE_SUPER_MAGIC: "fuse", unix.V9FS_MAGIC: "9p",
	unix.OVERLAYFS_SUPER_MAGIC: "overlayfs", unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs", 0x2fc12fc1: "zfs",
}

// fileSystem names the file system of a directory; "" = not known.
func fileSystem(dir string) string {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return ""
	}
	return fileSystems[int64(stat.Type)&0xffffffff]
}

// syncsMeasured is how many fsyncs are measured.
const syncsMeasured = 10

// syncLatency is how long an fsync takes in a directory. The file has no name, so the directory does
// not change.
func syncLatency(dir string) (time.Duration, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return 0, fmt.Errorf("the file system has no files without a name: %w", err)
	}
	f := os.NewFile(uintptr(fd), dir)
	defer f.Close()
	page := make([]byte, 4096)
	start := time.Now()
	for range syncsMeasured {
		if _, err := f.Write(page); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
	}
	return time.Since(start) / syncsMeasured, nil
}
