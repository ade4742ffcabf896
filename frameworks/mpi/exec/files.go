package exec

import "embed"

// files are the clients. The C file is no part of this package: its folder has no
// Go file.
//
//go:embed c/capstan_mpi.h c/capstan_mpi.c python/capstan_mpi.py
var files embed.FS
