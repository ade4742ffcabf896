// Package submit is the driver's side of a program that is a job: started by its
// user, the program writes its document and has the capstan command run it.
//
// # Laws
//
//	D1  The exit code is that of "capstan run". The terminal's interrupt is
//	    capstan's to answer.
//	D2  The capstan command is CAPSTAN_BIN, else that in PATH, else one built
//	    from the module that the program was built from.
//
// # Left out
//
// What the document says: each framework's own.
package submit
