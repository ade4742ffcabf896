package calendar

const (
	// onTime is how many seconds after its time a firing is not late.
	onTime = 60
	// maxWaiting is how many firings of a schedule wait for one that runs;
	// further ones are skipped.
	maxWaiting = 100
	// maxRunning is how many run side by side where overlap allows it.
	maxRunning = 100
	// maxCatchUp is the most late times that all fire.
	maxCatchUp = 100
	// maxPast is how many ends are remembered.
	maxPast = 20
	// maxParents is how many schedules one may come after.
	maxParents = 256
)
