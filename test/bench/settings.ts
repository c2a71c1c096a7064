/** What the operator of the bench is told, and what the bare writer builds with. */
export const settings = {
  botImage: "dkp-bot:1",
  botImageCanary: "dkp-bot:1",
  postgresImage: "ghcr.io/cloudnative-pg/postgresql:16.6-bookworm",
  monitoringNamespace: "observability",
};
