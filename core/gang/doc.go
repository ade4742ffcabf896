// Package gang decides which gangs run where. It is a state machine without
// surroundings: events go in, actions and explanations come out.
package gang
