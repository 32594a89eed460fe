package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"cairn/cli/config"
	"cairn/engine/store"
)

// This file tells data directories from other directories. If -data names another directory
// by mistake, such as ~ or /, cairn refuses it and changes nothing in it.

// dirKind is what a directory is to cairn.
type dirKind int

const (
	dirEmpty    dirKind = iota // missing or empty: it can become a data directory
	dirData                    // a data directory, complete or just begun
	dirSnapshot                // made by "cairn snapshot"
	dirForeign                 // anything else
)

// Names of the files and directories that cairn makes in a data directory. An interrupted
// first start or restore leaves some of them without a complete store.
var (
	ownFiles = regexp.MustCompile(`^(keys\.toml|\.keys\.toml-\d+|salts|salts\.new|ballast|hwm-[01])$`)
	ownDirs  = regexp.MustCompile(`^(store|store\.partial)$`)
	// These may be beside them, but do not prove that the directory is cairn's.
	besideFiles = regexp.MustCompile(`^((cairn|sites)\.toml|admin\.log(\.[1-4])?)$`)
	besideDirs  = regexp.MustCompile(`^(acme|store\.tmp|store\.spare|backup\.tmp|deletions\.tmp|before-version-\d+(-\d+)?(\.partial)?)$`)
	// storeFiles are files that every store has at least one of.
	storeFiles = regexp.MustCompile(`^(MANIFEST-\d+|marker\.(manifest|format-version)\..+)$`)
)

// inspectDir returns the kind of dir and the names in it. It changes nothing.
func inspectDir(dir string) (kind dirKind, names []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return dirEmpty, nil, nil
	}
	if err != nil {
		return dirForeign, nil, err
	}
	own, marks, proof := true, false, false
	for _, e := range entries {
		name := e.Name()
		if name == store.LostFound && e.IsDir() {
			continue
		}
		names = append(names, name)
		is := false
		switch {
		case name == store.ManifestName:
			return dirSnapshot, nil, nil
		case e.Type().IsRegular() && ownFiles.MatchString(name):
			is, marks = true, true
		case e.Type()&fs.ModeSocket != 0 && name == socketName:
			continue
		case e.Type().IsRegular() && besideFiles.MatchString(name), e.IsDir() && besideDirs.MatchString(name):
			continue
		case e.IsDir() && name == store.Name:
			if is, err = isStore(filepath.Join(dir, name)); err != nil {
				return dirForeign, nil, err
			}
		case e.IsDir() && ownDirs.MatchString(name):
			is = true
		}
		own, proof = own && is, proof || is
	}
	switch {
	case len(names) == 0:
		return dirEmpty, nil, nil
	case own && proof:
		return dirData, names, nil
	}
	// Other files may be beside a store, such as a snapshot or an operator's own file.
	if is, err := isStore(filepath.Join(dir, store.Name)); err == nil && is && marks {
		return dirData, names, nil
	}
	return dirForeign, names, nil
}

// isStore says whether dir is a store. An empty directory counts as one: an interrupted
// start leaves it.
func isStore(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	return len(entries) == 0 || slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return e.Type().IsRegular() && storeFiles.MatchString(e.Name())
	}), err
}

// checkDataDir refuses a directory in which a server must not keep its data.
func checkDataDir(dir string) error {
	kind, names, err := inspectDir(dir)
	switch {
	case err != nil:
		return fmt.Errorf("read the data directory: %w", err)
	case kind == dirSnapshot:
		return fmt.Errorf("%s is a snapshot, and a server would change it. Nothing in it was changed. Make a data directory from it: cairn restore %[1]s DATA_DIR", dir)
	case kind == dirForeign:
		return fmt.Errorf("%s is not a data directory of cairn: it contains %s. Nothing in it was changed. Choose an empty or a new directory with -data or data_dir, for example %s",
			dir, someOf(names), filepath.Join(dir, config.Default().DataDir))
	}
	return nil
}

// someOf lists the first few names and the number of the others.
func someOf(names []string) string {
	const most = 3
	quoted := make([]string, 0, most)
	for _, name := range names[:min(len(names), most)] {
		quoted = append(quoted, fmt.Sprintf("%q", name))
	}
	text := strings.Join(quoted, ", ")
	if more := len(names) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// checkStored refuses a directory that is neither a data directory nor a snapshot. It is
// for commands that only read.
func checkStored(dir string) error {
	kind, names, err := inspectDir(dir)
	switch {
	case err != nil:
		return err
	case kind == dirEmpty:
		return fmt.Errorf("%s is empty", dir)
	case kind == dirForeign:
		return fmt.Errorf("%s is neither a data directory of cairn nor a snapshot: it contains %s", dir, someOf(names))
	}
	return nil
}

// oldTmp is where older versions of cairn kept their temporary files.
const oldTmp = "tmp"

// removeOldTmp removes the directory in which older versions of cairn kept temporary files,
// unless it contains anything else. The caller has opened the store, so no older cairn uses
// it.
func removeOldTmp(dir string) {
	tmp := filepath.Join(dir, oldTmp)
	if info, err := os.Lstat(tmp); err != nil || !info.IsDir() {
		return
	}
	entries, err := os.ReadDir(tmp)
	if err != nil || slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return !e.Type().IsRegular() || !store.TemporaryFiles.MatchString(e.Name())
	}) {
		return
	}
	for _, e := range entries {
		os.Remove(filepath.Join(tmp, e.Name()))
	}
	os.Remove(tmp)
}
