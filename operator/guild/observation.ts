import type { KubeObject } from "../../runtime/kube/object.ts";
import type { Rollout } from "./rollout.ts";

/** Whether a key of a Secret is there, and a short hash of its value; never the value. */
export type SecretState = {
  use: "discord" | "database" | "backup";
  secret: string;
  key: string;
  state: "present" | "secretMissing" | "keyMissing";
  hash?: string;
};

/** Why a pod does not run, as its kubelet or the scheduler says it. */
export type PodProblem = {
  pod: string;
  reason: string;
  message: string;
  /** The image of the container that has the problem, where one has it. */
  image?: string | undefined;
  restarts?: number | undefined;
};

/** Everything that a reconcile knows about a guild besides the guild itself. */
export type Observation = {
  nowMs: number;
  /** A restore that is under way: whether the bot is being moved, and whether it is to have no pods for that. */
  restoring?: { message: string; isMoving: boolean; holdsBot: boolean } | undefined;
  /** Live children by `childKey`. Secrets are in it without their data. */
  children: ReadonlyMap<string, KubeObject>;
  /** `Kind name` of objects that bear a child's name and are not ours. */
  taken: readonly string[];
  /** The keys of Secrets that spec.discord and spec.database name. */
  secrets: readonly SecretState[];
  /** Kinds of which the API server knows nothing, because what brings them is not installed or is too old. */
  absentKinds: ReadonlySet<string>;
  /** What backups need from outside, where they are wanted: the plugin, and the keys of Secrets that spec.backup names. */
  backup?: { plugin: "installed" | "absent"; secrets: readonly SecretState[] } | undefined;
  /** Whether the Cluster that spec.database.clusterRef names is there; asked only while its database is not. */
  sharedCluster?: "present" | "missing" | undefined;
  podProblem?: PodProblem | undefined;
  /** How the rollout of the bot's image goes on, as it was decided. */
  rollout?: Rollout | undefined;
  /** Of a guild that is to sleep: a pod of its bot is still ending. */
  podsLeft?: boolean;
  /** The backup that is taken before the database sleeps. */
  lastBackup?: { name: string; phase?: string | undefined; error?: string | undefined } | undefined;
  /** What is being done about the database of a guild that is deleted. */
  farewell?: string;
  /** So many guilds are unwell that no image is to blame for this one. */
  isOutage?: boolean;
  /** Short hash of the Discord token in use. */
  tokenHash?: string | undefined;
  /** An older DkpGuild (`namespace/name`) with the same guildId or the same token. */
  conflict?: { with: string; over: "guildId" | "token" } | undefined;
  /** What the API server refused, in its words. */
  refusals: readonly string[];
};
