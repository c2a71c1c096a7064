package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

const (
	finalizer    = "dkp.dev/database"
	fieldManager = client.FieldOwner("dkp-operator")
)

type reconciler struct {
	client.Client
	scheme        *runtime.Scheme
	events        events.EventRecorder
	templates     templates
	skipUnchanged bool
}

func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	guild := &DkpGuild{}
	if err := r.Get(ctx, request.NamespacedName, guild); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	before := guild.DeepCopyObject().(*DkpGuild)
	if !guild.DeletionTimestamp.IsZero() {
		// The database is kept, and the garbage collector sees to the rest.
		if !controllerutil.RemoveFinalizer(guild, finalizer) {
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, r.Patch(ctx, guild, client.MergeFrom(before))
	}
	if controllerutil.AddFinalizer(guild, finalizer) {
		if err := r.Patch(ctx, guild, client.MergeFrom(before)); err != nil {
			return ctrl.Result{}, err
		}
	}
	return ctrl.Result{}, r.keep(ctx, guild)
}

// keep brings the children as far as their gates are open, and reports when all is well.
func (r *reconciler) keep(ctx context.Context, guild *DkpGuild) error {
	cluster := newCluster()
	if err := r.Get(ctx, client.ObjectKey{Namespace: guild.Namespace, Name: guild.Name + "-db"}, cluster); client.IgnoreNotFound(err) != nil {
		return err
	}
	fill := filler(guild, cluster.GetUID())
	var job batchv1.Job
	var deployment appsv1.Deployment
	for _, child := range r.templates.Children {
		if child.Gate == "database" && !isDatabaseReady(cluster) {
			return nil
		}
		if child.Gate == "migration" && (!isComplete(&job) || !r.hasToken(ctx, guild)) {
			return nil
		}
		live, err := r.keepChild(ctx, guild, child, fill)
		if err != nil {
			return err
		}
		switch live := live.(type) {
		case *batchv1.Job:
			job = *live
		case *appsv1.Deployment:
			deployment = *live
		}
	}
	if !isAvailable(&deployment) || !r.hasReport(ctx, guild) {
		return nil
	}
	return r.report(ctx, guild, fill)
}

// keepChild answers what the cache holds of the child.
func (r *reconciler) keepChild(ctx context.Context, guild *DkpGuild, child template, fill *strings.Replacer) (client.Object, error) {
	live, err := r.newObject(child)
	if err != nil {
		return nil, err
	}
	err = r.Get(ctx, client.ObjectKey{Namespace: guild.Namespace, Name: fill.Replace(child.Name)}, live)
	missing := errors.IsNotFound(err)
	if err != nil && !missing {
		return nil, err
	}
	if child.Once && !missing {
		return live, nil
	}
	wanted := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(fill.Replace(child.Text)), wanted); err != nil {
		return nil, err
	}
	if !missing && r.skipUnchanged {
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(live)
		if err != nil {
			return nil, err
		}
		// Typed objects come out of the cache without them.
		fields["apiVersion"], fields["kind"] = child.APIVersion, child.Kind
		if equality.Semantic.DeepDerivative(wanted.Object, fields) {
			return live, nil
		}
	}
	if child.Once {
		return live, client.IgnoreAlreadyExists(r.Create(ctx, wanted, fieldManager))
	}
	return live, r.Apply(ctx, client.ApplyConfigurationFromUnstructured(wanted), fieldManager, client.ForceOwnership)
}

func (r *reconciler) newObject(child template) (client.Object, error) {
	kind := schema.FromAPIVersionAndKind(child.APIVersion, child.Kind)
	if !r.scheme.Recognizes(kind) {
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(kind)
		return object, nil
	}
	object, err := r.scheme.New(kind)
	if err != nil {
		return nil, err
	}
	return object.(client.Object), nil
}

func (r *reconciler) report(ctx context.Context, guild *DkpGuild, fill *strings.Replacer) error {
	if guild.Status.Phase == "Ready" && guild.Status.ObservedGeneration == guild.Generation {
		return nil
	}
	status := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(fill.Replace(r.templates.Status)), status); err != nil {
		return err
	}
	applied := client.ApplyConfigurationFromUnstructured(status)
	if err := r.Status().Apply(ctx, applied, fieldManager, client.ForceOwnership); err != nil {
		return err
	}
	if guild.Status.Phase != "Ready" {
		r.events.Eventf(guild, nil, corev1.EventTypeNormal, "Ready", "Reconcile", "The bot runs and serves commands")
	}
	return nil
}

func (r *reconciler) hasToken(ctx context.Context, guild *DkpGuild) bool {
	var token corev1.Secret
	key := client.ObjectKey{Namespace: guild.Namespace, Name: guild.Spec.Discord.TokenSecretRef.Name}
	return r.Get(ctx, key, &token) == nil
}

func (r *reconciler) hasReport(ctx context.Context, guild *DkpGuild) bool {
	var report corev1.ConfigMap
	key := client.ObjectKey{Namespace: guild.Namespace, Name: guild.Name + "-report"}
	return r.Get(ctx, key, &report) == nil && report.Data["report.json"] != ""
}

func newCluster() *unstructured.Unstructured {
	cluster := &unstructured.Unstructured{}
	cluster.SetAPIVersion("postgresql.cnpg.io/v1")
	cluster.SetKind("Cluster")
	return cluster
}

func isDatabaseReady(cluster *unstructured.Unstructured) bool {
	roles, _, _ := unstructured.NestedStringSlice(cluster.Object, "status", "managedRolesStatus", "byStatus", "reconciled")
	conditions, _, _ := unstructured.NestedSlice(cluster.Object, "status", "conditions")
	ready := slices.ContainsFunc(conditions, func(condition any) bool {
		fields, _ := condition.(map[string]any)
		return fields["type"] == "Ready" && fields["status"] == "True"
	})
	return ready && slices.Contains(roles, "dkp_bot")
}

func isComplete(job *batchv1.Job) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(condition batchv1.JobCondition) bool {
		return condition.Type == batchv1.JobComplete && condition.Status == corev1.ConditionTrue
	})
}

func isAvailable(deployment *appsv1.Deployment) bool {
	status := deployment.Status
	return deployment.Spec.Replicas != nil && status.ObservedGeneration == deployment.Generation &&
		status.UpdatedReplicas == *deployment.Spec.Replicas && status.AvailableReplicas == *deployment.Spec.Replicas
}
