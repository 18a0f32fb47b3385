package artifacts

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// LinkFiles gives the folder of a store that is not open yet the blob files of another store's folder. A blob file never changes, so both
// stores share it, by hard links, where the file system has those; elsewhere it is copied. What is removed meanwhile is passed over.
func LinkFiles(from, to string) error {
	return eachBlobFile(from, func(folder, name string) error {
		target := filepath.Join(to, blobDir, folder, name)
		source := filepath.Join(from, blobDir, folder, name)
		err := os.Link(source, target)
		if errors.Is(err, fs.ErrNotExist) { // the first of its folder, or it is gone
			if err = os.MkdirAll(filepath.Dir(target), 0o700); err == nil {
				err = os.Link(source, target)
			}
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			err = copyFile(source, target)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}

// BlobFiles lists the blob files of a store's folder as slashed paths below it.
func BlobFiles(dir string) (names []string, err error) {
	err = eachBlobFile(dir, func(folder, name string) error {
		names = append(names, blobDir+"/"+folder+"/"+name)
		return nil
	})
	return names, err
}

// IsBlobFile tells whether a slashed path is one that [BlobFiles] could give.
func IsBlobFile(path string) bool {
	return blobFilePath.MatchString(path) && path[len(blobDir)+1:][:2] == path[len(path)-2:]
}

var blobFilePath = regexp.MustCompile(`^` + blobDir + `/[0-9a-f]{2}/[0-9a-f-]{2,100}$`)

func eachBlobFile(dir string, fn func(folder, name string) error) error {
	folders, err := os.ReadDir(filepath.Join(dir, blobDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, folder := range folders {
		files, err := os.ReadDir(filepath.Join(dir, blobDir, folder.Name()))
		if err != nil {
			return err
		}
		for _, f := range files {
			if !f.Type().IsRegular() {
				continue
			}
			if err := fn(folder.Name(), f.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // read-only
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
