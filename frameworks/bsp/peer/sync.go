package peer

import (
	"context"
	"time"
)

// Sync ends the superstep. It returns when all ranks have called it and what
// they sent to this rank is here. Then aggregators have their values, and a
// checkpoint, if one was due, has been copied.
//
// Errors: a [*RankError] of a rank whose program failed, a *mesh.PeerError in
// the chain where a rank is lost, ctx's. After an error nothing works any more,
// and Run returns it.
func (p *Peer) Sync(ctx context.Context) error {
	if err := p.failed(); err != nil {
		return err
	}
	if ctx != p.ctx {
		stop := context.AfterFunc(ctx, func() { _ = p.lost(ctx.Err()) })
		defer stop()
	}
	s := Superstep{Number: p.step, Loading: p.loading, Active: p.active, Edges: p.edges, Send: p.posting}
	start := time.Now()
	s.Compute = start.Sub(p.begun) - p.posting
	if err := p.sync(&s); err != nil {
		return p.lost(err)
	}
	end := time.Now()
	s.Wait = end.Sub(start) - s.Checkpoint
	p.begun, p.posting, p.active, p.edges, p.messages = end, 0, 0, 0, 0
	p.observe(s)
	return nil
}

func (p *Peer) sync(s *Superstep) error {
	w := &p.barrier.mine
	s.Messages = p.messages
	if err := p.say(w, s); err != nil {
		return err
	}
	if err := p.barrier.meet(p.ctx); err != nil {
		return err
	}
	answer := &p.barrier.answer
	if err := answer.verdict(); err != nil {
		return err
	}
	if err := p.aggregates.set(answer.rest); err != nil {
		return err
	}
	if err := p.turn(answer, s); err != nil {
		return err
	}
	if answer.flags&flagCheckpoint != 0 {
		start := time.Now()
		p.policy.taken(p.step)
		if err := p.keeping.begin(p); err != nil {
			return err
		}
		s.Checkpoint = time.Since(start)
	}
	return nil
}

// say fills in this rank's word.
func (p *Peer) say(w *word, s *Superstep) (err error) {
	w.intent, w.flags, w.rank, w.step = toSync, 0, p.Rank(), p.step
	for to, l := range p.lanes {
		if err := l.flush(); err != nil {
			return err
		}
		var bytes int64
		w.counts[to], bytes = l.take()
		s.Bytes += bytes
	}
	if p.vote {
		w.flags |= flagVote
	}
	if p.hold {
		w.flags |= flagHold
	}
	if p.keeping.busy() {
		w.flags |= flagBusy
	}
	p.vote = false
	w.rest, err = p.aggregates.contributions(w.rest[:0])
	return err
}

// turn takes the mail of the superstep that ended in place of the one before.
func (p *Peer) turn(answer *word, s *Superstep) error {
	mail, spilled, err := p.in.close(p.ctx, p.step, answer.counts)
	if err != nil {
		return err
	}
	if p.mail != nil {
		p.in.release(p.mail)
	}
	p.mail, s.Spilled = mail, spilled
	if spilled > 0 {
		p.c.Log.Debug("messages went to disk", "superstep", p.step, "bytes", spilled)
	}
	p.halted = answer.flags&flagVote != 0
	p.step++
	return nil
}
