package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
)

// Constants are what was measured. Microseconds are of one core.
type Constants struct {
	Machine string `json:"machine"`

	ServerEventUS    Curve   `json:"serverEventUS"`    // to take, store and acknowledge an event, one server, by events a second
	ClusterEventUS   Curve   `json:"clusterEventUS"`   // the same in a cluster that keeps three copies, all three servers together
	ServerDeliveryUS Curve   `json:"serverDeliveryUS"` // to deliver an event of one key to one node, by events a second
	ServerUserShare  float64 `json:"serverUserShare"`  // of that, not spent in system calls: what may be serial
	ServerKeyUS      float64 `json:"serverKeyUS"`      // more, for each further key and node
	ServerProbeUS    float64 `json:"serverProbeUS"`    // to answer a probe
	ServerIdleUS     float64 `json:"serverIdleUS"`     // a second and node: what else an idle node costs, such as waking up for it
	ConnectionKB     float64 `json:"connectionKB"`     // heap of a bare connection
	SubscriptionKB   float64 `json:"subscriptionKB"`   // heap of what a node subscribes to

	NodeIdleUS  float64 `json:"nodeIdleUS"`  // a second, without what the presence of others costs
	NodeHeardUS float64 `json:"nodeHeardUS"` // to hear of the presence of another
	NodeEventUS Curve   `json:"nodeEventUS"` // to apply an event of one key, by events a second
	NodeKeyUS   float64 `json:"nodeKeyUS"`   // more, for each further key

	EventBytes    float64 `json:"eventBytes"` // of headers and body as a node gets it, one key
	KeyBytes      float64 `json:"keyBytes"`   // more, for each further key
	PresenceBytes float64 `json:"presenceBytes"`
	ProbeBytes    float64 `json:"probeBytes"` // question and answer
	DiskBytes     float64 `json:"diskBytes"`  // of an event of one key in the stream
}

// Curve is a cost that falls as events come faster, because one system call carries several: what was measured at a few rates.
type Curve []Point

// Point is the cost at a rate.
type Point struct {
	Rate float64 `json:"rate"`
	US   float64 `json:"us"`
}

//go:embed constants.json
var builtIn []byte

// constants reads a file of them, or those built in.
func constants(file string) (*Constants, error) {
	var err error
	data := builtIn
	if file != "" {
		if data, err = os.ReadFile(file); err != nil {
			return nil, err
		}
	}
	c := &Constants{}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("constants: %w", err)
	}
	return c, nil
}
