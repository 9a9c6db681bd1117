package accesstest

import (
	"encoding/json"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/lethe-cache/lethe/cmd/internal/access"
)

// Operator makes accounts and users by JWT, as nsc does.
type Operator struct {
	t        testing.TB
	key      nkeys.KeyPair
	accounts map[string]*Account
}

// Account of an Operator. What is changed in Claims counts when the server starts.
type Account struct {
	Claims *jwt.AccountClaims
	key    nkeys.KeyPair
	t      testing.TB
}

// NewOperator returns one with a system account and nothing else.
func NewOperator(t testing.TB) *Operator {
	t.Helper()
	key, err := nkeys.CreateOperator()
	o := &Operator{t, checked(t, key, err), map[string]*Account{}}
	o.Account("SYS")
	return o
}

// Account makes an account, or returns the one of that name.
func (o *Operator) Account(name string) *Account {
	o.t.Helper()
	if a := o.accounts[name]; a != nil {
		return a
	}
	key, err := nkeys.CreateAccount()
	a := &Account{key: checked(o.t, key, err), t: o.t}
	a.Claims = jwt.NewAccountClaims(public(o.t, a.key))
	a.Claims.Name = name
	o.accounts[name] = a
	return a
}

// User signs a user with the permissions that access prints, and returns its credentials as a .creds file has them.
func (a *Account) User(u access.User) []byte {
	a.t.Helper()
	printed, err := json.Marshal(u.Claims())
	if err != nil {
		a.t.Fatal(err)
	}
	pair, err := nkeys.CreateUser()
	key := checked(a.t, pair, err)
	claims := jwt.NewUserClaims(public(a.t, key))
	claims.Name = u.Name
	if err := json.Unmarshal(printed, &claims.Permissions); err != nil {
		a.t.Fatal(err)
	}
	token, err := claims.Encode(a.key)
	seed, err2 := key.Seed()
	creds, err3 := jwt.FormatUserConfig(checked(a.t, token, err), checked(a.t, seed, err2))
	return checked(a.t, creds, err3)
}

// Share exports a subject of a privately to one other account, and imports it there.
func (a *Account) Share(to *Account, subject string, kind jwt.ExportType, many bool) {
	a.t.Helper()
	export := &jwt.Export{Name: subject, Subject: jwt.Subject(subject), Type: kind, TokenReq: true}
	if many {
		export.ResponseType = jwt.ResponseTypeStream
	}
	known := false
	for _, e := range a.Claims.Exports {
		known = known || e.Subject == export.Subject && e.Type == kind
	}
	if !known {
		a.Claims.Exports.Add(export)
	}
	activation := jwt.NewActivationClaims(public(a.t, to.key))
	activation.ImportSubject, activation.ImportType = export.Subject, kind
	token, err := activation.Encode(a.key)
	to.Claims.Imports.Add(&jwt.Import{
		Name: subject, Subject: export.Subject, LocalSubject: jwt.RenamingSubject(subject), Account: public(a.t, a.key),
		Token: checked(a.t, token, err), Type: kind,
	})
}

// Serve runs a server that trusts the operator and knows its accounts.
func (o *Operator) Serve() string {
	o.t.Helper()
	claims := jwt.NewOperatorClaims(public(o.t, o.key))
	system := o.accounts["SYS"].Claims.Subject
	claims.SystemAccount = system
	known := &server.MemAccResolver{}
	for _, a := range o.accounts {
		token, err := a.Claims.Encode(o.key)
		if err := known.Store(a.Claims.Subject, checked(o.t, token, err)); err != nil {
			o.t.Fatal(err)
		}
	}
	return run(o.t, &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: o.t.TempDir(),
		TrustedOperators: []*jwt.OperatorClaims{claims}, SystemAccount: system, AccountResolver: known,
	})
}

func public(t testing.TB, key nkeys.KeyPair) string {
	t.Helper()
	id, err := key.PublicKey()
	return checked(t, id, err)
}

func checked[T any](t testing.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}
