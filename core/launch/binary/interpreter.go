package binary

import (
	"bufio"
	"bytes"
	"debug/elf"
	"io"
	"os"
	"strings"
)

// Interpreter is the path of what the kernel needs to start the program at
// path ("" is the running program): the dynamic linker of one that is not
// linked statically, or what follows a script's "#!". It is "" where nothing
// else is needed, and where the program cannot be read, which its start tells
// better.
func Interpreter(path string) string {
	if path == "" {
		path = running
	}
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	return interpreter(f)
}

// longestName bounds an interpreter's path.
const longestName = 4096

func interpreter(f io.ReaderAt) string {
	head, _ := bufio.NewReader(io.NewSectionReader(f, 0, longestName)).ReadString('\n') // perhaps without an end
	if after, ok := strings.CutPrefix(head, "#!"); ok {
		if words := strings.Fields(after); len(words) > 0 {
			return words[0]
		}
		return ""
	}
	program, err := elf.NewFile(f)
	if err != nil {
		return ""
	}
	defer program.Close()
	for _, p := range program.Progs {
		if p.Type == elf.PT_INTERP && p.Filesz <= longestName {
			name := make([]byte, p.Filesz)
			if _, err := p.ReadAt(name, 0); err != nil {
				return ""
			}
			return string(bytes.TrimRight(name, "\x00"))
		}
	}
	return ""
}
