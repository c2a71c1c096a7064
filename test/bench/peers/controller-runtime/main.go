// The children of DkpGuilds kept by controller-runtime, in its usual style, to be measured beside the operator.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

func main() {
	file := flag.String("templates", "", "file with the children of a guild")
	namespace := flag.String("namespace", "", "namespace of the guilds")
	workers := flag.Int("workers", 1, "guilds reconciled side by side")
	skip := flag.Bool("skip-unchanged", false, "compare with the cache and write only what differs")
	resync := flag.Duration("resync", 10*time.Hour, "how often every guild is looked at")
	flag.Parse()
	if err := run(*file, *namespace, *workers, *skip, *resync); err != nil {
		log.Fatal(err)
	}
}

func run(file, namespace string, workers int, skip bool, resync time.Duration) error {
	ctrl.SetLogger(zap.New())
	children, err := readTemplates(file)
	if err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return err
	}
	addGuilds(scheme)
	mgr, err := ctrl.NewManager(ctrl.GetConfigOrDie(), ctrl.Options{
		Scheme:                        scheme,
		Metrics:                       metricsserver.Options{BindAddress: "0"},
		LeaderElection:                true,
		LeaderElectionID:              "dkp-peer",
		LeaderElectionNamespace:       "dkp-system",
		LeaderElectionReleaseOnCancel: true,
		Cache: cache.Options{
			DefaultNamespaces: map[string]cache.Config{namespace: {}},
			SyncPeriod:        &resync,
		},
		Client: client.Options{Cache: &client.CacheOptions{Unstructured: true}},
	})
	if err != nil {
		return err
	}
	guilds := &reconciler{
		Client:        mgr.GetClient(),
		scheme:        scheme,
		events:        mgr.GetEventRecorder("dkp-peer"),
		templates:     children,
		skipUnchanged: skip,
	}
	if err := guilds.watch(mgr, workers); err != nil {
		return err
	}
	// Begins when this process leads; an informer is handed out when it is complete.
	ready := manager.RunnableFunc(func(ctx context.Context) error {
		for _, kind := range append(owned(), &DkpGuild{}, newCluster()) {
			if _, err := mgr.GetCache().GetInformer(ctx, kind); err != nil {
				return err
			}
		}
		fmt.Println(`{"ready":true}`)
		return nil
	})
	if err := mgr.Add(ready); err != nil {
		return err
	}
	return mgr.Start(ctrl.SetupSignalHandler())
}

func owned() []client.Object {
	return []client.Object{
		&corev1.ServiceAccount{}, &corev1.ConfigMap{}, &corev1.Secret{}, &corev1.Service{},
		&rbacv1.Role{}, &rbacv1.RoleBinding{}, &coordinationv1.Lease{},
		&policyv1.PodDisruptionBudget{}, &networkingv1.NetworkPolicy{},
		&batchv1.Job{}, &appsv1.Deployment{},
	}
}

func (r *reconciler) watch(mgr ctrl.Manager, workers int) error {
	watching := ctrl.NewControllerManagedBy(mgr).
		For(&DkpGuild{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers})
	for _, kind := range owned() {
		watching = watching.Owns(kind)
	}
	// What outlives its guild is not owned.
	byLabel := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, object client.Object) []reconcile.Request {
		name, labelled := object.GetLabels()["dkp.dev/guild"]
		if !labelled {
			return nil
		}
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: name}}}
	})
	return watching.Watches(newCluster(), byLabel).Complete(r)
}
