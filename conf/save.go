package conf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Save writes the settings to a file as [Format] has them, in the manner of saveFile.
func Save(s *Settings, file string, now time.Time) error { return saveFile(file, Format(s, file, now)) }

// saveFile writes a file. It is replaced as a whole, so that whoever reads it
// finds the old or the new one, and so that the old one stays if the disk is full; mode and owner stay. A link stays a
// link. A file in a directory where pen may not make one, or whose owner pen may not give a file, is overwritten in
// place, as is what is no regular file.
func saveFile(file string, text []byte) error {
	target, err := filepath.EvalSymlinks(file)
	if errors.Is(err, fs.ErrNotExist) {
		target = file
	} else if err != nil {
		return err
	}
	old, err := os.Stat(target)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if old != nil && !old.Mode().IsRegular() {
		return overwrite(target, text)
	}
	err = replace(target, old, text)
	if old != nil && errors.Is(err, fs.ErrPermission) {
		return overwrite(target, text)
	}
	return err
}

// replace makes a new file and gives it the name of the old one, which is nil if there is none.
func replace(target string, old fs.FileInfo, text []byte) (err error) {
	dir := filepath.Dir(target)
	f, err := os.CreateTemp(dir, "."+filepath.Base(target)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close() // an error here adds nothing
			os.Remove(f.Name())
		}
	}()
	if err := keep(f, old); err != nil {
		return fmt.Errorf("keep mode and owner of %s: %w", target, err)
	}
	if _, err := f.Write(text); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), target); err != nil {
		return err
	}
	return syncDirectory(dir)
}

// keep gives f the mode and the owner of the old file. The owner comes first: a change of it clears bits of the mode.
func keep(f *os.File, old fs.FileInfo) error {
	const mode = 0o644 // of a new file; it holds no secret
	if old == nil {
		return f.Chmod(mode)
	}
	if is, ok := old.Sys().(*syscall.Stat_t); ok {
		if err := f.Chown(int(is.Uid), int(is.Gid)); err != nil {
			return err
		}
	}
	return f.Chmod(old.Mode().Perm())
}

// syncDirectory makes a rename survive a crash, on systems that can.
func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrPermission) { // it may be written to but not read
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}

// overwrite writes to an existing file.
func overwrite(target string, text []byte) error {
	f, err := os.OpenFile(target, os.O_WRONLY|os.O_TRUNC|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	if _, err := f.Write(text); err != nil {
		f.Close() // the error of the write says more
		return err
	}
	return f.Close()
}
