/** What each phase means stands in the status's schema. Apart from the schemas, which take zod and three megabytes to read. */
export const phases = [
  "Pending",
  "DatabaseProvisioning",
  "Migrating",
  "Deploying",
  "Ready",
  "Updating",
  "Degraded",
  "Restoring",
  "Suspended",
  "Hibernating",
  "Hibernated",
  "Stalled",
  "Deleting",
] as const;

export const rolloutStates = ["Waiting", "Progressing", "Done", "Failed"] as const;

export type Phase = (typeof phases)[number];
