// Package calendar decides when a schedule's job is due: at the times of a cron
// expression or of an ISO 8601 repeat, or when other schedules have ended.
//
// # Model
//
//	events ─→ Calendar.Step ─→ actions, changed rows
//	             │
//	             ├─ trigger   cron, repeat: the times of one schedule
//	             ├─ offer     what a run that still goes on means for the next
//	             └─ edges     which parents have ended since a child last fired
//
// A [Schedule] fires. A [Firing] is one due time, one round of its parents or
// one wish of a user, and becomes a job whose id tells which: NAME-UNIXSECONDS,
// NAME-rROUND, NAME-mNUMBER; further tries of it add -2, -3.
//
//	due ─→ waiting ─→ running ─→ succeeded
//	  │                 │  ↑───→ failed, after its last try
//	  │                 └──┘ tries again
//	  └─→ skipped (another runs), missed (nobody looked)
//
// The surroundings write the changed rows down before they act ([Calendar.Row],
// [Calendar.Restore]), and after a crash do [Calendar.Outstanding] again.
//
// # Laws
//
//	K1  A due time, a round and a wish become one firing each, and a firing is
//	    told by its job's id: an action that is repeated after a crash finds the
//	    job that is there.
//	K2  A due time that was dealt with is never dealt with again: the mark of a
//	    schedule only grows, whatever the clock does, and outlives its deletion.
//	K3  A schedule keeps to the clock on the wall of its time zone. A time that
//	    the clock leaps over comes at the end of the gap, and several of one gap
//	    are one; a time that comes twice counts the first time. A cron expression
//	    whose hour is * follows elapsed time instead: an hour that comes twice
//	    has its minutes twice.
//	K4  An edge that has arrived stays until its child fires. A child fires once
//	    all of its parents have ended, each as its edge asks, since the child's
//	    last firing, and the edges are cleared by that firing. A parent has ended
//	    when its firing has: after the last try, not before.
//	K5  A schedule that is put again replaces the old one at once. When it is due
//	    at other times, nothing of the old one fires any more, not what waited
//	    either; what runs goes on.
//	K6  Every parent is there: a missing one and a cycle are refused and named,
//	    and so is the deletion of a parent, unless it is forced.
//	K7  The same events give the same rows and actions, to the byte. Nothing here
//	    reads a clock.
//	K8  What a schedule keeps is bounded: see the constants of limits.go.
//
// Late is what Step did not hear of in time: the host was down, or the schedule
// paused. Of several times that passed, or of one that passed more than a minute
// ago, [Schedule.CatchUp] says which fire.
//
// # Left out
//
// What a job is and how it runs (the host), and reading the time zone's rules
// ([Zones]): a calendar knows a name and gets a location.
package calendar
