package span

import (
	"os"
	"syscall"
)

// large is the size of a large page. Less memory than one is not worth it.
const large = 2 << 20

func anonymous(n int) ([]byte, error) {
	b, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	if n >= large {
		// A kernel without large pages refuses; the memory is as good.
		_ = syscall.Madvise(b, syscall.MADV_HUGEPAGE)
	}
	return b, nil
}

func mapFile(f *os.File, n int) ([]byte, error) {
	b, err := syscall.Mmap(int(f.Fd()), 0, n, syscall.PROT_READ, syscall.MAP_SHARED)
	return b, os.NewSyscallError("mmap", err)
}

func unmap(b []byte) error {
	if b == nil {
		return nil
	}
	return os.NewSyscallError("munmap", syscall.Munmap(b))
}
