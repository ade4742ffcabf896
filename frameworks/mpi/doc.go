// Package mpi is to hold kind MPI: unmodified MPI programs as gangs.
//
// # Rooms
//
//	pmi   the Process Management Interface, by which the ranks of a program find
//	      each other
package mpi
