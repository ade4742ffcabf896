package work

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/frameworks/artifact"
	"github.com/capstan-run/capstan/frameworks/spark/task"
)

// maxSeen bounds the stages of which a coordinator is told: the last ones.
const maxSeen = 200

// restStage is a stage as Spark's REST API (api/v1) and its event log tell it.
type restStage struct {
	ID     int    `json:"stageId"`
	Status string `json:"status"`
	Name   string `json:"name"`
	Tasks  int    `json:"numTasks"`
	Active int    `json:"numActiveTasks"`
	Done   int    `json:"numCompleteTasks"`
	Failed int    `json:"numFailedTasks"`
}

// look asks the application's own page how far it is; nil while it says nothing.
func (a *application) look(ctx context.Context) *task.Seen {
	var apps []struct {
		ID string `json:"id"`
	}
	api := a.web + "/api/v1/applications"
	if get(ctx, api, &apps) != nil || len(apps) == 0 {
		return nil
	}
	var stages []restStage
	if get(ctx, api+"/"+apps[0].ID+"/stages", &stages) != nil {
		return nil
	}
	return a.seen(apps[0].ID, stages)
}

func (a *application) seen(id string, stages []restStage) *task.Seen {
	s := &task.Seen{Run: a.run.number, Application: id, Web: a.web}
	slices.SortFunc(stages, func(x, y restStage) int { return x.ID - y.ID })
	shipped := artifact.In(a.w.env.Files, a.w.body.App)
	if real, err := filepath.EvalSymlinks(shipped); err == nil {
		shipped = real
	}
	for _, st := range stages[max(0, len(stages)-maxSeen):] {
		name := strings.ReplaceAll(st.Name, shipped, filepath.Base(artifact.In(a.w.env.Files, a.w.body.App)))
		s.Stages = append(s.Stages, task.SeeStage{Name: name, Status: st.Status, Tasks: st.Tasks, Running: st.Active, Done: st.Done, Failed: st.Failed})
	}
	return s
}

// eventual is what the event log says when the application has ended: no page is
// there any more. It is nil if there is no log.
func (a *application) eventual() *task.Seen {
	logs, _ := filepath.Glob(filepath.Join(a.run.dir, "events", "*")) // the pattern is well formed
	if len(logs) == 0 {
		return nil
	}
	f, err := os.Open(logs[len(logs)-1])
	if err != nil {
		return nil
	}
	defer f.Close()
	l := eventLog{}
	r := bufio.NewReaderSize(f, 1<<20)
	for {
		line, err := r.ReadSlice('\n')
		if err == nil || len(line) > 0 && err != bufio.ErrBufferFull {
			l.add(line)
		}
		if err != nil && err != bufio.ErrBufferFull {
			break
		}
	}
	return a.seen(l.id, l.list())
}

// eventLog is what is read of an event log: a JSON object on each line.
type eventLog struct {
	id     string
	stages []*restStage
}

// add takes a line. What it cannot read says nothing of stages.
func (l *eventLog) add(line []byte) {
	switch {
	case bytes.Contains(line[:min(len(line), 64)], []byte(`"SparkListenerApplicationStart"`)):
		var e struct {
			ID string `json:"App ID"`
		}
		if json.Unmarshal(line, &e) == nil {
			l.id = e.ID
		}
	case bytes.Contains(line[:min(len(line), 64)], []byte(`"SparkListenerStageSubmitted"`)), bytes.Contains(line[:min(len(line), 64)], []byte(`"SparkListenerStageCompleted"`)):
		var e struct {
			Info struct {
				ID     int    `json:"Stage ID"`
				Name   string `json:"Stage Name"`
				Tasks  int    `json:"Number of Tasks"`
				Reason string `json:"Failure Reason"`
			} `json:"Stage Info"`
		}
		if json.Unmarshal(line, &e) == nil {
			s := l.stage(e.Info.ID)
			s.Name, s.Tasks = e.Info.Name, e.Info.Tasks
		}
	case bytes.Contains(line[:min(len(line), 64)], []byte(`"SparkListenerTaskEnd"`)):
		var e struct {
			Stage  int `json:"Stage ID"`
			Reason struct {
				Reason string `json:"Reason"`
			} `json:"Task End Reason"`
		}
		if json.Unmarshal(line, &e) == nil {
			if s := l.stage(e.Stage); e.Reason.Reason == "Success" {
				s.Done++
			} else {
				s.Failed++
			}
		}
	}
}

func (l *eventLog) stage(id int) *restStage {
	for _, s := range l.stages {
		if s.ID == id {
			return s
		}
	}
	s := &restStage{ID: id, Status: "COMPLETE"}
	l.stages = append(l.stages, s)
	return s
}

func (l *eventLog) list() []restStage {
	list := make([]restStage, len(l.stages))
	for i, s := range l.stages {
		list[i] = *s
	}
	return list
}
