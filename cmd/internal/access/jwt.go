package access

// Claims are permissions in the form user JWTs and signing keys have them.
type Claims struct {
	Publish   Allowed    `json:"pub"`
	Subscribe Allowed    `json:"sub"`
	Responses *Responses `json:"resp,omitempty"`
}

// Allowed is a list of subjects; what is not on it is denied.
type Allowed struct {
	Allow []string `json:"allow"`
}

// Claims of the user.
func (u User) Claims() Claims {
	return Claims{Allowed{subjects(u.Publish)}, Allowed{subjects(u.Subscribe)}, u.Responses}
}

func subjects(grants []Grant) []string {
	all := make([]string, 0, len(grants))
	for _, g := range grants {
		all = append(all, g.Subject)
	}
	return all
}
