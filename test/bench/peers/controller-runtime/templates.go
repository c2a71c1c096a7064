package main

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// A template is the JSON of one child with placeholders in it.
type template struct {
	// Gate is what the child waits for: "none", "database" or "migration".
	Gate string `json:"gate"`
	// Once is true for what is made when it is missing and never written again.
	Once       bool   `json:"once"`
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Name of the object, with placeholders.
	Name string `json:"name"`
	Text string `json:"text"`
}

type templates struct {
	Children []template `json:"children"`
	// Status of a guild that is Ready, as an object to apply.
	Status string `json:"status"`
}

func readTemplates(path string) (templates, error) {
	var read templates
	text, err := os.ReadFile(path)
	if err != nil {
		return read, err
	}
	return read, json.Unmarshal(text, &read)
}

// filler puts a guild's facts in the place of the placeholders.
func filler(guild *DkpGuild, cluster types.UID) *strings.Replacer {
	since := time.Now().UTC().Format(time.RFC3339)
	if len(guild.Status.Conditions) > 0 {
		since = guild.Status.Conditions[0].LastTransitionTime.UTC().Format(time.RFC3339)
	}
	return strings.NewReplacer(
		"{{name}}", guild.Name,
		"{{namespace}}", guild.Namespace,
		"{{uid}}", string(guild.UID),
		"{{guildId}}", guild.Spec.GuildID,
		"{{minimumBid}}", strconv.FormatInt(guild.Spec.Rules.Auctions.MinimumBid, 10),
		"{{generation}}", strconv.FormatInt(guild.Generation, 10),
		"{{since}}", since,
		"{{cluster}}", string(cluster[:min(8, len(cluster))]),
	)
}
