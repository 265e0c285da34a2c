package fw

// managed is a stack of release actions (drmm_add_action): they run in reverse
// order when the last user is gone.
type managed struct{ actions []func() }

func (m *managed) add(fn func()) { m.actions = append(m.actions, fn) }

func (m *managed) release() {
	for len(m.actions) > 0 {
		last := m.actions[len(m.actions)-1]
		m.actions = m.actions[:len(m.actions)-1]
		last()
	}
}
