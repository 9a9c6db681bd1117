// Package brokers measures what applying manifests costs on a database, and what it costs to keep many of them cached.
package brokers
