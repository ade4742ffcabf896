// Command single counts words with one goroutine and one map: the program to
// beat. Usage: single INPUT OUTPUT.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"log"
	"os"
)

func main() {
	in, err := os.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	counts := map[string]*int64{}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		for word := range bytes.FieldsSeq(lines.Bytes()) {
			if n := counts[string(word)]; n != nil {
				*n++
				continue
			}
			one := int64(1)
			counts[string(word)] = &one
		}
	}
	out, err := os.Create(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	w := bufio.NewWriter(out)
	for word, n := range counts {
		fmt.Fprintf(w, "%s\t%d\n", word, *n)
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		log.Fatal(err)
	}
}
