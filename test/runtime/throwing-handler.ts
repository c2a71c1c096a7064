// A program whose change handler throws, to be run by a test: node throwing-handler.ts <server> <token> <namespace>
import { objectCache } from "../../runtime/kube/cache.ts";
import { kubeClient } from "../../runtime/kube/client.ts";
import { reflect } from "../../runtime/kube/reflector.ts";
import { logger } from "../../runtime/log.ts";

const [, , server = "", token = "", namespace = ""] = process.argv;

reflect({
  client: kubeClient({
    connection: { server, tls: {}, headers: async () => ({ authorization: `Bearer ${token}` }) },
    fieldManager: "throwing-handler",
    userAgent: "throwing-handler",
  }),
  resource: { group: "", version: "v1", kind: "ConfigMap", plural: "configmaps", namespaced: true },
  namespaces: [namespace],
  cache: objectCache(),
  onChange() {
    throw new Error("the handler is wrong");
  },
  log: logger({ level: "silent", format: "json", name: "test" }),
});
