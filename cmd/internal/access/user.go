package access

import "time"

// Grant is one subject that may be published or subscribed to, and what for.
type Grant struct {
	Subject string `json:"subject"`
	Why     string `json:"why"`

	many bool // it is answered more than once
}

// Responses bound the answers to requests that a user heard: on how often, and how long after.
type Responses struct {
	Max     int           `json:"max"`
	Expires time.Duration `json:"ttl"`
}

// User is one user with all that it may do.
type User struct {
	Name, Fleet string
	Role        Role
	// InboxPrefix is where answers to this user go: it has to connect with it (nats.CustomInboxPrefix, --inbox-prefix), so
	// that nobody else can read them.
	InboxPrefix        string
	Publish, Subscribe []Grant
	Responses          *Responses // nil = it answers nobody
}

// Of says what a user of these options needs. The error names every option that is wrong.
func Of(o Options) (User, error) {
	o, err := o.withDefaults()
	if err != nil {
		return User{}, err
	}
	u := User{Name: o.Name, Fleet: o.Fleet, Role: o.Role, InboxPrefix: "_INBOX_" + o.Name}
	r := rules{Options: o}
	switch o.Role {
	case Node:
		r.node()
		u.Responses = &Responses{Max: 100, Expires: 2 * time.Minute} // a Barrier asks again and again under one inbox
	case Publisher:
		r.publisher()
	case Admin:
		r.admin()
	case Watcher:
		r.watcher()
	case Editor:
		r.editor()
	}
	r.hear(u.InboxPrefix+".>", "answers to this user, which nobody else may read")
	u.Publish, u.Subscribe = r.publish, r.subscribe
	return u, nil
}
