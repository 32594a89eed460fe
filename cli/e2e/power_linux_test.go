package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"cairn/cli/bench"
)

var (
	powerCuts = flag.Int("power.cuts", 2, "how often TestPowerCut cuts the power")
	powerSeed = flag.Uint64("power.seed", 0, "seed of TestPowerCut; 0 = by the clock")
)

// powerDiskBytes is the size of the disk. The file behind it is sparse.
const powerDiskBytes = 2 << 30

// Promises D1 to D4, tried as TestKill does, but the power is cut: what the server has
// written and not synced is gone. A kill alone cannot show that, since the kernel writes
// all of it later. The store is on an ext4 file system of its own. At a random instant
// under load, and sometimes during the recovery, the file system is told to stop without
// writing its journal. Then the server is killed, the file system is mounted again, and the
// server starts again on what is left. All cuts hit the same store.
//
// What the kernel has written to the disk by itself survives, also if nobody synced it. So
// this does not lose everything that a disk with a cache of its own could lose. The crash
// tests of the engine do.
//
// It needs root and loop devices.
//
//	go test ./cli/e2e -run TestPowerCut -v -power.cuts=500
func TestPowerCut(t *testing.T) {
	t.Parallel()
	disk := newPowerDisk(t)
	k := newKiller(t, filepath.Join(disk.mounted, "data"), *powerSeed)
	k.options.Env = bench.Environ("64MiB") // so that rows are sealed earlier
	k.fail, k.mend = disk.fail, disk.mend
	t.Logf("go test ./cli/e2e -run TestPowerCut -power.cuts=%d -power.seed=%d", *powerCuts, k.oracle.seed)
	k.run(t, *powerCuts)
}

// powerDisk is an ext4 file system in a file, whose power can be cut.
type powerDisk struct {
	image, mounted string
}

// newPowerDisk makes and mounts a file system for one test. Where that is not possible, it
// skips the test and says why.
func newPowerDisk(t *testing.T) *powerDisk {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: power cuts need root, to mount a file system")
	}
	dir := t.TempDir()
	d := &powerDisk{image: filepath.Join(dir, "disk"), mounted: filepath.Join(dir, "mounted")}
	if err := os.Mkdir(d.mounted, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.image, powerDiskBytes); err != nil {
		t.Fatal(err)
	}
	if err := runCommand("mkfs.ext4", "-q", "-F", d.image); err != nil {
		t.Skipf("SKIPPED: power cuts need ext4: %v", err)
	}
	if err := d.mount(); err != nil {
		t.Skipf("SKIPPED: power cuts need loop devices: %v", err)
	}
	// Another process that was forked a moment ago may still have a file open there.
	t.Cleanup(func() {
		if err := d.unmount(); err != nil {
			t.Error(err)
			runCommand("umount", "-l", d.mounted)
		}
	})
	return d
}

func runCommand(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

func (d *powerDisk) mount() error {
	return runCommand("mount", "-o", "loop", d.image, d.mounted)
}

func (d *powerDisk) unmount() (err error) {
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if err = runCommand("umount", d.mounted); err == nil || time.Now().After(end) {
			return err
		}
	}
}

// fail cuts the power. From now on every write to the file system is an error, and nothing
// more of it reaches the disk, not even the journal.
func (d *powerDisk) fail() error {
	const (
		fsIocShutdown = 0x8004587d // FS_IOC_SHUTDOWN
		noLogFlush    = 2          // FS_SHUTDOWN_FLAGS_NOLOGFLUSH
	)
	dir, err := os.Open(d.mounted)
	if err != nil {
		return err
	}
	defer dir.Close()
	flags := uint32(noLogFlush)
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, dir.Fd(), fsIocShutdown, uintptr(unsafe.Pointer(&flags))); errno != 0 {
		return fmt.Errorf("cut the power: %w", errno)
	}
	return nil
}

// mend brings the power back. Nobody uses the file system meanwhile.
func (d *powerDisk) mend() error {
	if err := d.unmount(); err != nil {
		return err
	}
	return d.mount()
}
