package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// Views of a world. Those whose function reads with the ctx it was given depend on what it reads. The others read with none, and depend on one tag only: what
// is not announced about that tag leaves them as they are.
const (
	viewObject = "object" // one object
	viewChain  = "chain"  // it, and all that it refers to
	viewList   = "list"   // the names and versions of a namespace
	viewOwned  = "owned"  // by the tag that a template of the kind makes: who has an owner
	viewBehind = "behind" // by the object's tag: it, and all that it refers to by what its kind says at the moment
)

const (
	objectsMost = 6 // of a namespace
	ownersMost  = 2
)

// view is a memoized function of a text, and the function itself.
type view struct {
	*lethe.Func[string, string]
	load func(context.Context, string) (string, error)
}

// part is the spec of a world's objects.
type part struct {
	Value int    `json:"value"`
	Owner string `json:"owner"`
	Ref   string `json:"ref,omitempty"`
	Also  string `json:"also,omitempty"`
}

type viewKey struct{ view, key string }

func objectName(i int) string { return fmt.Sprintf("o%d", i) }
func ownerName(i int) string  { return fmt.Sprintf("w%d", i) }

// viewKeys is all that can be looked at in a namespace.
func viewKeys(ns string) []viewKey {
	all := []viewKey{{viewList, ns}}
	for i := range objectsMost {
		key := ns + "/" + objectName(i)
		all = append(all, viewKey{viewObject, key}, viewKey{viewChain, key}, viewKey{viewBehind, key})
	}
	for i := range ownersMost {
		all = append(all, viewKey{viewOwned, ns + "/" + ownerName(i)})
	}
	return all
}

func (c *citizen) memoize() map[string]*view {
	family := strings.ToLower(c.kind)
	memoize := func(name string, load func(context.Context, string) (string, error), opts ...lethe.Option) *view {
		opts = append(opts, lethe.WithTTL(20*time.Minute))
		return &view{lethe.Memoize(c.node, event.Name[string](family+"."+name), load, opts...), load}
	}
	return map[string]*view{
		viewObject: memoize(viewObject, c.object),
		viewChain: memoize(viewChain, func(ctx context.Context, key string) (string, error) {
			return c.follow(ctx, key, true)
		}),
		viewList: memoize(viewList, c.list),
		viewOwned: memoize(viewOwned, c.owned, lethe.WithTags(func(key, _ string) []string {
			return []string{family + "-owner:" + key}
		})),
		viewBehind: memoize(viewBehind, func(_ context.Context, key string) (string, error) {
			ctx, cancel := apart()
			defer cancel()
			also, err := c.alsoRefers(ctx)
			if err != nil {
				return "", err
			}
			return c.follow(ctx, key, also)
		}, lethe.WithTags(func(key, _ string) []string { return []string{family + ":" + key} })),
	}
}

// apart is a ctx that records nothing.
func apart() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), readFor)
}

// get is an object's version and spec; "none" where there is none.
func (c *citizen) get(ctx context.Context, key string) (text string, p part, err error) {
	ns, name, _ := strings.Cut(key, "/")
	o, err := c.store.Get(ctx, c.kind, ns, name)
	switch {
	case errors.Is(err, manifest.ErrNotFound):
		return "0 none", p, nil
	case err != nil:
		return "", p, err
	}
	err = json.Unmarshal(o.Spec, &p)
	return o.Metadata.ResourceVersion + " " + string(o.Spec), p, err
}

func (c *citizen) object(ctx context.Context, key string) (string, error) {
	text, _, err := c.get(ctx, key)
	return text, err
}

// follow is an object and all that it refers to, to the end, each once: by which field it refers to something is not announced.
func (c *citizen) follow(ctx context.Context, key string, also bool) (string, error) {
	ns, _, _ := strings.Cut(key, "/")
	var all []string
	seen := map[string]bool{key: true}
	for queue := []string{key}; len(queue) > 0; queue = queue[1:] {
		text, p, err := c.get(ctx, queue[0])
		if err != nil {
			return "", err
		}
		all = append(all, queue[0]+" "+text)
		next := []string{p.Ref}
		if also {
			next = append(next, p.Also)
		}
		for _, name := range next {
			if k := ns + "/" + name; name != "" && !seen[k] {
				seen[k], queue = true, append(queue, k)
			}
		}
	}
	slices.Sort(all)
	return strings.Join(all, "; "), nil
}

// alsoRefers says whether the kind takes the second field for a reference at the moment.
func (c *citizen) alsoRefers(ctx context.Context) (bool, error) {
	o, err := c.store.Get(ctx, "Kind", manifest.DefaultNamespace, strings.ToLower(c.kind))
	return strings.Contains(string(o.Spec), "spec.also"), err
}

func (c *citizen) list(ctx context.Context, ns string) (string, error) {
	all, err := c.store.ListAll(ctx, c.kind, manifest.ListOptions{Namespace: ns})
	var text strings.Builder
	for i := range all {
		fmt.Fprintf(&text, "%s %s; ", all[i].Metadata.Name, all[i].Metadata.ResourceVersion)
	}
	return text.String(), err
}

func (c *citizen) owned(_ context.Context, key string) (string, error) {
	ctx, cancel := apart()
	defer cancel()
	ns, owner, _ := strings.Cut(key, "/")
	all, err := c.store.ListAll(ctx, c.kind, manifest.ListOptions{Namespace: ns})
	var text strings.Builder
	for i := range all {
		var p part
		if err := json.Unmarshal(all[i].Spec, &p); err != nil {
			return "", err
		}
		if p.Owner == owner {
			fmt.Fprintf(&text, "%s %d; ", all[i].Metadata.Name, p.Value)
		}
	}
	return text.String(), err
}

// kindText is the manifest of a kind at one of its turns: its schema changes each time, and each second time what refers to others.
func kindText(kind string, turn int) string {
	family := strings.ToLower(kind)
	refs := []map[string]any{{"kind": kind, "field": "spec.ref"}}
	if turn%2 == 1 {
		refs = append(refs, map[string]any{"kind": kind, "field": "spec.also"})
	}
	text := map[string]any{"type": "string"}
	return mustJSON(map[string]any{
		"apiVersion": "lethe.dev/v1", "kind": "Kind", "metadata": map[string]any{"name": family},
		"spec": map[string]any{
			"apiVersion": "world.dev/v1", "names": map[string]any{"kind": kind},
			"schema": map[string]any{
				"type": "object", "required": []string{"value", "owner"}, "description": fmt.Sprintf("turn %d", turn),
				"properties": map[string]any{"value": map[string]any{"type": "integer"}, "owner": text, "ref": text, "also": text},
			},
			"stale":      []string{family + "-owner:{metadata.namespace}/{spec.owner}"},
			"references": refs,
		},
	})
}
