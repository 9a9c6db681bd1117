// Package desk is what a node answers about manifests, whoever asks: HTTP and NATS alike. It applies, deletes, lists and explains
// itself through a manifest.Store, and memoizes what is read through Lethe.
//
// Every error is a *ctl.Refusal, which has the code, and the field, line and document where that is known.
package desk
