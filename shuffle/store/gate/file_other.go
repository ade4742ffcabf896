//go:build !unix

package gate

import "os"

func attributes(*os.File) (etag, contentType string, ok bool) { return "", "", false }
