// Package predict guesses how long a gang will run from what its user's gangs
// took before.
//
// # Model
//
// People ask for far more time than they use, and the same person does the
// same thing again: the mean of a user's last two run times predicts the next
// one better than the walltime does (Tsafrir, Etsion, Feitelson: Backfilling
// using system-generated predictions, TPDS 2007). A [History] keeps the last
// two run times of each user and of each of the user's job names, the name
// counting for more where it is known.
//
// # Laws
//
//	P1  A prediction is at least 1 ms and at most the walltime, if there is one.
//	P2  The same run times in the same order give the same predictions: no
//	    clock, float, randomness or map order.
//	P3  A History remembers a bounded number of users and names: those that
//	    were heard of last.
//
// # Left out
//
// Whoever uses a prediction decides what may rest on it. No promise may:
// a guess is often too short.
package predict
