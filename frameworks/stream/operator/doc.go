// Package operator is the built-in sources, operators and sinks of topologies.
//
// # Model
//
//	lines   source    text files, line by line
//	words   source    words of a few, drawn by a seed
//	split   operator  text into its words
//	count   operator  for each tuple, how many with the same fields there were
//	files   sink      a file for each epoch and task, tuples as JSON lines
//	log     sink      tuples as JSON lines, on a writer
//
// [Catalog] says what each emits, so that a topology can be checked without one.
package operator
