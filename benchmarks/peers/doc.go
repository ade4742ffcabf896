// Package peers holds the programs Capstan is measured against, and gets them
// ready: the single-threaded Go program, and Spark's plain word counts.
//
// Spark comes from the Python package index, when asked for, into a virtual
// environment in the cache; nothing of it is part of Capstan. It counts in two
// ways: over an RDD with Python functions, which is the word count of its own
// guide, and over a DataFrame, where all work is done by the JVM and which is
// the best it offers.
package peers
