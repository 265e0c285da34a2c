//go:build !amd64 || noasm

package kern

// backends lists what this host can run, best first.
var backends = []*backend{&portable}

// active is the back end in use.
var active = backends[0]
