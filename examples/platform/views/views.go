// Package views answers what a front end asks about the platform: each answer is computed from several manifests, memoized,
// and declares nothing about what it depends on.
package views

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// Names of the memoized functions; each takes a namespace and a name.
const (
	ChatbotName event.Name2[string, string] = "platform.chatbot"
	AccountName event.Name2[string, string] = "platform.account"
)

// Chatbot is one with all it needs to run.
type Chatbot struct {
	Name     string  `json:"name"`
	Account  string  `json:"account"` // as it is displayed
	Endpoint string  `json:"endpoint"`
	Model    string  `json:"model"`
	Prompt   string  `json:"prompt"`
	Heat     float64 `json:"temperature"`
	Tools    []Tool  `json:"tools"`
}

// Tool is what a plugin lends to a chatbot.
type Tool struct {
	Plugin      string `json:"plugin"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Confirm     bool   `json:"confirm"`
}

// Account is an account with what belongs to it.
type Account struct {
	Name     string    `json:"name"`
	Plan     string    `json:"plan"`
	Users    []string  `json:"users"`
	Chatbots []Chatbot `json:"chatbots"`
}

// Views are the memoized functions of one node.
type Views struct {
	Chatbot *lethe.Func2[string, string, Chatbot]
	Account *lethe.Func2[string, string, Account]

	store *manifest.Store
}

// New registers them. "There is none" is remembered as well, and forgotten when there is one.
func New(node *lethe.Node, store *manifest.Store) *Views {
	v := &Views{store: store}
	none := lethe.WithNegative(time.Hour, manifest.ErrNotFound)
	v.Chatbot = lethe.Memoize2(node, ChatbotName, v.chatbot, none)
	v.Account = lethe.Memoize2(node, AccountName, v.account, none)
	return v
}

// chatbot reads the chatbot, its account, its provider and its plugins. Whatever of them changes, on any node, makes it stale.
func (v *Views) chatbot(ctx context.Context, namespace, name string) (Chatbot, error) {
	type spec struct {
		Account, Provider, Model, Prompt string
		Temperature                      float64
		Plugins                          []string
	}
	bot, err := read[spec](ctx, v.store, "Chatbot", namespace, name)
	if err != nil {
		return Chatbot{}, err
	}
	out := Chatbot{Name: name, Model: bot.Model, Prompt: bot.Prompt, Heat: bot.Temperature, Account: bot.Account, Tools: []Tool{}}
	account, err := read[struct{ DisplayName string }](ctx, v.store, "Account", namespace, bot.Account)
	if err := missing(err); err != nil {
		return Chatbot{}, err
	} else if account.DisplayName != "" {
		out.Account = account.DisplayName
	}
	provider, err := read[struct{ Endpoint string }](ctx, v.store, "Provider", namespace, bot.Provider)
	if err := missing(err); err != nil {
		return Chatbot{}, err
	}
	out.Endpoint = provider.Endpoint
	for _, name := range bot.Plugins {
		plugin, err := read[struct{ Tools []Tool }](ctx, v.store, "Plugin", namespace, name)
		if err := missing(err); err != nil {
			return Chatbot{}, err
		}
		for _, t := range plugin.Tools {
			t.Plugin = name
			out.Tools = append(out.Tools, t)
		}
	}
	return out, nil
}

// account reads the account and lists its users and chatbots; each chatbot comes through the memoized view of it.
func (v *Views) account(ctx context.Context, namespace, name string) (Account, error) {
	type spec struct {
		DisplayName string `json:"displayName"`
		Plan        string `json:"plan"`
	}
	got, err := read[spec](ctx, v.store, "Account", namespace, name)
	if err != nil {
		return Account{}, err
	}
	out := Account{Name: got.DisplayName, Plan: got.Plan, Users: []string{}, Chatbots: []Chatbot{}}
	belongs := func(spec json.RawMessage) (bool, error) {
		var of struct {
			Account string `json:"account"`
		}
		err := json.Unmarshal(spec, &of)
		return of.Account == name, err
	}
	err = each(ctx, v.store, "User", namespace, func(o manifest.Object) error {
		if ok, err := belongs(o.Spec); !ok {
			return err
		}
		out.Users = append(out.Users, o.Metadata.Name)
		return nil
	})
	if err != nil {
		return Account{}, err
	}
	err = each(ctx, v.store, "Chatbot", namespace, func(o manifest.Object) error {
		if ok, err := belongs(o.Spec); !ok {
			return err
		}
		bot, err := v.Chatbot.Get(ctx, namespace, o.Metadata.Name)
		if err == nil {
			out.Chatbots = append(out.Chatbots, bot)
		}
		return missing(err) // deleted since it was listed
	})
	return out, err
}

// read gets the spec of an object.
func read[S any](ctx context.Context, store *manifest.Store, kind, namespace, name string) (spec S, err error) {
	o, err := store.Get(ctx, kind, namespace, name)
	if err != nil {
		return spec, err
	}
	if err := json.Unmarshal(o.Spec, &spec); err != nil {
		return spec, fmt.Errorf("%s %s/%s: %w", kind, namespace, name, err)
	}
	return spec, nil
}

// each lists the objects of a kind, page by page.
func each(ctx context.Context, store *manifest.Store, kind, namespace string, do func(manifest.Object) error) error {
	o := manifest.ListOptions{Namespace: namespace}
	for {
		objects, next, err := store.List(ctx, kind, o)
		if err != nil {
			return err
		}
		for _, object := range objects {
			if err := do(object); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		o.Continue = next
	}
}

// missing passes over what is named and not there: a chatbot may come before its plugin.
func missing(err error) error {
	if errors.Is(err, manifest.ErrNotFound) {
		return nil
	}
	return err
}
