package engine

// Trouble is a server that has failed its clients as often in a row as the command observe allows.
type Trouble struct {
	Service string
	Server  int32 // Target.ID
	Why     string
}

// troubleQueue is how many may wait for the control plane. One that finds no room is told at the next failure.
const troubleQueue = 256

// Troubles returns the channel on which the reactors tell of servers in trouble.
func (e *Engine) Troubles() <-chan Trouble { return e.troubles }

// blame counts a failure of a server: a connect that failed, or an end before the first byte of an answer.
func (r *reactor) blame(v *service, p *place, why string) {
	most := v.conf.Health.Observe
	if most == 0 || p.index < 0 || int(p.troubles.Add(1)) < most {
		return
	}
	select {
	case r.engine.troubles <- Trouble{v.conf.Name, p.id, why}:
		p.troubles.Store(0)
	default:
	}
}

// early blames a server that ends a stream without having said anything, unless the client has ended its own before.
func (r *reactor) early(s *session, from side) {
	if from == up && s.moved[down] == 0 && !s.ended.has(up) {
		r.blame(s.service, s.server, "closed before it said anything")
	}
}

// praise ends a row of failures: the server has answered.
func (v *server) praise() {
	if v.troubles.Load() != 0 {
		v.troubles.Store(0)
	}
}
