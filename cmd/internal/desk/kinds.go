package desk

import (
	"context"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// Kinds lists what can be applied here, without schemas and examples.
func (d *Desk) Kinds(ctx context.Context) (ctl.KindList, error) {
	return bounded(ctx, d, operation{name: "kinds"}, func(ctx context.Context) (ctl.KindList, error) {
		list := ctl.KindList{Kinds: []ctl.Kind{}}
		all, err := d.store.Kinds(ctx)
		for _, k := range all {
			k.Schema, k.StatusSchema, k.Example = nil, nil, nil
			list.Kinds = append(list.Kinds, kindOf(k))
		}
		return list, refused(err)
	})
}

// Kind is one, by any of its names.
func (d *Desk) Kind(ctx context.Context, name string) (ctl.Kind, error) {
	return bounded(ctx, d, operation{name: "kind"}, func(ctx context.Context) (ctl.Kind, error) {
		k, err := d.store.Kind(ctx, name)
		if isNotFound(err) {
			return ctl.Kind{}, noKind(name)
		}
		return kindOf(k), refused(err)
	})
}

func kindOf(k manifest.KindInfo) ctl.Kind {
	return ctl.Kind{
		APIVersion: k.APIVersion, Kind: k.Kind, Plural: k.Plural, ShortNames: k.ShortNames, Stored: k.Stored,
		Schema: k.Schema, Status: k.StatusSchema, Example: k.Example,
	}
}
