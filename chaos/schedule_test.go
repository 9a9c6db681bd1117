package main

import (
	"testing"
)

func TestAListOfFaultsIsChosenByName(t *testing.T) {
	t.Parallel()
	all, down, err := choose("")
	if err != nil || !down || len(all) != len(faults()) {
		t.Errorf("all: %d, %v, %v", len(all), down, err)
	}
	none, down, err := choose("none")
	if err != nil || down || len(none) != 0 {
		t.Errorf("none: %d, %v, %v", len(none), down, err)
	}
	two, down, err := choose("stepdown, silence,kill-node")
	if err != nil || !down || len(two) != 2 || two[0].name != "silence" || two[1].name != "kill-node" {
		t.Errorf("two: %v, %v, %v", two, down, err)
	}
	if _, _, err := choose("silence,noise"); err == nil {
		t.Error("noise is no fault")
	}
}
