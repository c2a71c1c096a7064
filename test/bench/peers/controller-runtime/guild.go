package main

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// DkpGuild holds of the resource what this operator looks at.
type DkpGuild struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   DkpGuildSpec   `json:"spec"`
	Status DkpGuildStatus `json:"status"`
}

type DkpGuildSpec struct {
	GuildID string `json:"guildId"`
	Discord struct {
		TokenSecretRef struct {
			Name string `json:"name"`
		} `json:"tokenSecretRef"`
	} `json:"discord"`
	Rules struct {
		Auctions struct {
			MinimumBid int64 `json:"minimumBid"`
		} `json:"auctions"`
	} `json:"rules"`
}

type DkpGuildStatus struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Phase              string             `json:"phase,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
}

// DkpGuildList is a list of DkpGuild.
type DkpGuildList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []DkpGuild `json:"items"`
}

// DeepCopyObject implements runtime.Object.
func (g *DkpGuild) DeepCopyObject() runtime.Object {
	copied := *g
	g.ObjectMeta.DeepCopyInto(&copied.ObjectMeta)
	copied.Status.Conditions = append([]metav1.Condition(nil), g.Status.Conditions...)
	return &copied
}

// DeepCopyObject implements runtime.Object.
func (l *DkpGuildList) DeepCopyObject() runtime.Object {
	copied := *l
	l.ListMeta.DeepCopyInto(&copied.ListMeta)
	copied.Items = make([]DkpGuild, len(l.Items))
	for i := range l.Items {
		copied.Items[i] = *l.Items[i].DeepCopyObject().(*DkpGuild)
	}
	return &copied
}

func addGuilds(scheme *runtime.Scheme) {
	version := schema.GroupVersion{Group: "dkp.dev", Version: "v1alpha1"}
	scheme.AddKnownTypes(version, &DkpGuild{}, &DkpGuildList{})
	metav1.AddToGroupVersion(scheme, version)
}
