package cli

import (
	"net/http"
	"os"
	"strconv"
	"strings"

	"cairn/engine/store"

	"github.com/dustin/go-humanize"
	"github.com/prometheus/procfs"
)

// This file is what "cairn doctor" sees of the machine, without the server.

// newRequest is a GET with the key of the server.
func (s *server) newRequest(path string) (*http.Request, error) {
	req, err := http.NewRequest(http.MethodGet, s.base+path, nil)
	if err == nil {
		req.Header = s.header.Clone()
	}
	return req, err
}

// directory looks at the file system of the data directory.
func (d *doctorRun) directory() {
	kind := fileSystem(d.cfg.DataDir)
	switch kind {
	case "":
		d.say(good, "directory", "%s", d.cfg.DataDir)
	case "tmpfs":
		d.say(problem, "directory", "%s is on tmpfs: everything is lost when the machine restarts. Move it to a disk", d.cfg.DataDir)
	case "nfs", "cifs", "smb2", "fuse", "9p":
		d.say(warning, "directory", "%s is on %s. Whether a write is durable there is up to the other side; use a local disk", d.cfg.DataDir, kind)
	case "overlayfs":
		d.say(warning, "directory", "%s is in the container's own file system (overlayfs) and goes with the container. Use a volume", d.cfg.DataDir)
	default:
		d.say(good, "directory", "%s is on %s", d.cfg.DataDir, kind)
	}
}

// machine looks at the limits that this process has, which are mostly those of the server.
func (d *doctorRun) machine() {
	if conns := store.OpenFiles().Conns; conns > 0 && conns < connsWarn {
		d.say(warning, "files", "the limit of open files leaves %d for connections; raise it (ulimit -n, or LimitNOFILE of systemd)", conns)
	} else {
		d.say(good, "files", "the limit of open files is high enough")
	}
	total := machineMemory()
	if total == 0 {
		return
	}
	budget := uint64(d.cfg.Memory)
	switch {
	case budget > total/10*9:
		d.say(problem, "memory", "the budget of %v is more than this machine can give: it has %s. Set memory to less", d.cfg.Memory, humanize.IBytes(total))
	case budget > total/4*3:
		d.say(warning, "memory", "the budget of %v leaves little of %s for the system's file cache", d.cfg.Memory, humanize.IBytes(total))
	default:
		d.say(good, "memory", "the budget is %v of %s", d.cfg.Memory, humanize.IBytes(total))
	}
}

// machineMemory is what processes here may use together: the machine's memory, or the limit of a
// container. 0 = not known.
func machineMemory() uint64 {
	total := uint64(0)
	if fs, err := procfs.NewDefaultFS(); err == nil {
		if info, err := fs.Meminfo(); err == nil && info.MemTotal != nil {
			total = *info.MemTotal << 10
		}
	}
	if text, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if limit, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil && (total == 0 || limit < total) {
			total = limit
		}
	}
	return total
}
